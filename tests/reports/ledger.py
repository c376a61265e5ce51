"""Plays a ledger of `tests/reports/ledgers`: what happened to an account, line by line, as the tracker sees it.

mark BTCUSDT 100                                 the mid from now on
look                                             the tracker reads the account
BUY 2 @ 100 fee 0.2 USDT mid 100.5               a fill; more words: symbol ETHUSDT, order 7, taker
SELL 1 @ 105 late                                one that the venue tells at `tell`
deposit USDT 500, withdraw BTC 1                 without a trade
midnight                                         the next UTC day, ten minutes past midnight
wipe                                             the venue begins the account anew, as it was at the start
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from market.account import Balance, VenueTrade
from market.clock import Now
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports.bookkeeping import Recorder
from reports.folder import ReportsFolder
from reports.performance import AccountSnapshot
from reports.trade_history import FillDetail, TradeKey, key_of
from tests.reports.fills import BTC, DAY_MS, ETH, NOON_MS, fill

_SECOND_MS: Final = 1_000
_INSTRUMENTS: Final = {"BTCUSDT": BTC, "ETHUSDT": ETH}


class Ledger:
    """One account and its daily files."""

    def __init__(self, path: Path, start: dict[str, str], symbols: list[str]) -> None:
        self.folder = ReportsFolder(path)
        self._start = {asset: Decimal(total) for asset, total in start.items()}
        self._totals = dict(self._start)
        self._instruments: list[Instrument] = [_INSTRUMENTS[symbol] for symbol in symbols]
        self._trades: list[VenueTrade] = []
        self._late: set[TradeKey] = set()
        self._details: dict[TradeKey, FillDetail] = {}
        self._marks: dict[str, Decimal] = {}
        self._time_ms = NOON_MS
        self._account = 1
        self._number = 0
        self._recorder = Recorder(self.folder, lambda: Now(self._time_ms * 1_000_000, self._time_ms * 1_000_000))

    def play(self, lines: list[str]) -> JsonObject:
        """Let it all happen, and return the document of the last day as it stands in its file."""
        for line in lines:
            self._time_ms += _SECOND_MS
            self._do(iter(line.split()))
        document = self.folder.read(self._recorder.book.day)
        assert document is not None
        return document

    def _do(self, words: Iterator[str]) -> None:
        match next(words):
            case "look":
                self._look()
            case "tell":
                self._late.clear()
            case "mark":
                symbol = next(words)
                self._marks[symbol] = Decimal(next(words))
            case "midnight":
                day = (self._time_ms - (NOON_MS - DAY_MS // 2)) // DAY_MS + 1
                self._time_ms = NOON_MS - DAY_MS // 2 + day * DAY_MS + 600 * _SECOND_MS
            case "wipe":
                self._account, self._totals, self._trades = self._account + 1, dict(self._start), []
            case "deposit":
                self._totals[next(words)] += Decimal(next(words))
            case "withdraw":
                self._totals[next(words)] -= Decimal(next(words))
            case side:
                self._trade(Side[side], words)

    def _trade(self, side: Side, words: Iterator[str]) -> None:
        self._number += 1
        qty, _, price = next(words), next(words), next(words)
        more: dict[str, Any] = {"time_ms": self._time_ms}
        mid, is_late = None, False
        for word in words:
            match word:
                case "fee":
                    more |= {"fee": next(words), "fee_asset": next(words)}
                case "mid":
                    mid = Decimal(next(words))
                case "late":
                    is_late = True
                case "taker":
                    more["is_maker"] = False
                case "symbol":
                    more["symbol"] = next(words)
                case "number":  # of a trade with itself, whose halves have one number
                    self._number = int(next(words))
                case "order":
                    more["order_id"] = next(words)
                case _:
                    raise ValueError(word)
        trade = fill(self._number, side, qty, price, **more)
        self._trades.append(trade)
        if is_late:
            self._late.add(key_of(trade))
        if mid is not None:
            self._details[key_of(trade)] = FillDetail(mid=mid)
        sign, instrument = (1 if side is Side.BUY else -1), _INSTRUMENTS[trade.symbol]
        self._totals[instrument.base] += sign * trade.qty
        self._totals[instrument.quote] -= sign * trade.quote_qty
        self._totals[trade.fee_asset] -= trade.fee

    def _look(self) -> None:
        told = [trade for trade in self._trades if key_of(trade) not in self._late]
        balances = {asset: Balance(total, Decimal(0)) for asset, total in self._totals.items()}
        snapshot = AccountSnapshot(
            self._time_ms * 1_000_000, self._instruments, balances, told, [], self._marks, str(self._account)
        )
        for attempt in (snapshot, replace(snapshot, now_ns=snapshot.now_ns + 1)):
            self._recorder.look(snapshot.day)
            assert self._recorder.record(attempt, is_final=True) is not None
            if not self._details.keys() & {row.key for row in self._recorder.book.rows if row.detail is None}:
                return
            self._recorder.book.describe(self._details)
