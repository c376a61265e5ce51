"""The runs of `benchmarks.coverage`: a desk in a market whose takers are known, and every fill with who took it."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from commands.actions.simulate import start_of
from desk.settings import Settings, load_settings
from flow.synthetic import SyntheticFlow
from market.account import Balance, VenueTrade
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.events import Event, Executed
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.market import FlowMarket

HORIZONS_S: Final = (1, 10, 60)
DELAYS: Final = Delays(venue_ns=NS_PER_MS)
MARKET: Final = "practice"
QUOTES: Final = {
    "maker.half_spread": "0.0001",
    "maker.requote_tolerance": "0.00003",
    "maker.skew": "0.0002",
    "paper.maker_fee": "0",
}
_START: Final = "2026-01-01T00:00:00"
_PAGE: Final = 1_000


Fill = tuple[int, int, float, float, str, list[float | None]]


class Run(NamedTuple):
    """What one desk has done.

    Attributes:
        fills: of each its time in ms, 1 for a buy and -1 for a sell, price and quantity, who took it, and the others'
            mid just before it and after each of `HORIZONS_S`, None where it is not known.
        pnl: by kind of counterparty: what the trades with it have brought at the last mid, fees paid.
        own_pnl: what the account has more at the end than at the start, at the last mid.
    """

    fills: list[Fill]
    pnl: dict[str, Fraction]
    own_pnl: Fraction


def run(toxicity: float, seed: int, seconds: int) -> Run:
    """Let a desk trade for a while; the same arguments give the same fills."""
    flow = {"flow.source": "synthetic", "flow.preset": MARKET, "flow.seed": seed, "flow.toxicity": toxicity}
    settings = load_settings({**flow, **QUOTES}).settings
    start_ns = start_of(_START)
    with TemporaryDirectory() as folder:
        desk = SimulatedDesk(settings, start_ns, Path(folder), DELAYS)
        before = desk.account.balances()
        kinds = _kinds_of(desk)
        desk.run(start_ns + seconds * NS_PER_SECOND)
        return _told(desk, settings, kinds, before)


def _kinds_of(desk: SimulatedDesk) -> dict[int, str]:
    """Return a table that fills as the desk trades: by trade, who was on the other side."""
    kinds: dict[int, str] = {}
    assert isinstance(desk.market, FlowMarket), "the market is made up"
    flow = desk.market.flow
    assert isinstance(flow, SyntheticFlow), "the desk has one market"
    hear = desk.exchange.hear

    def noting(events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Executed) and event.taker_owner != event.maker_owner:
                is_taker = desk.exchange.is_ours(event.taker_owner)
                kinds[event.trade_id] = flow.kind_of(event.maker_order_id if is_taker else event.taker_order_id)
        hear(events)

    desk.exchange.hear = noting  # type: ignore[method-assign]
    return kinds


def _told(desk: SimulatedDesk, settings: Settings, kinds: dict[int, str], before: Mapping[str, Balance]) -> Run:
    instrument, others = settings.instrument, desk.others
    others.pass_to(desk.heap.now_ns)
    mids, half_tick = others.mids, Fraction(instrument.tick_size) / 2
    last_x2 = mids.at(desk.heap.now_ns)
    assert last_x2 is not None, "the market has both sides"
    worth = {instrument.base: last_x2 * half_tick, instrument.quote: Fraction(1)}
    pnl: dict[str, Fraction] = {}
    fills: list[Fill] = []
    for trade in _trades(desk, settings):
        sign = 1 if trade.side is Side.BUY else -1
        gained = sign * (worth[instrument.base] * Fraction(trade.qty) - Fraction(trade.quote_qty))
        kind = kinds.pop(trade.trade_id)
        pnl[kind] = pnl.get(kind, Fraction(0)) + gained - Fraction(trade.fee) * worth[trade.fee_asset]
        at_ns = trade.time_ms * NS_PER_MS
        seen = [mids.before(at_ns), *(mids.at(at_ns + each * NS_PER_SECOND) for each in HORIZONS_S)]
        told = [None if mid is None else float(mid * half_tick) for mid in seen]
        fills.append((trade.time_ms, sign, float(trade.price), float(trade.qty), kind, told))
    assert not kinds, f"the account does not know of trades {[*kinds]}"
    after = desk.account.balances()
    changes = {asset: Fraction(after[asset].total) - Fraction(before[asset].total) for asset in worth}
    return Run(fills, pnl, sum((worth[asset] * change for asset, change in changes.items()), Fraction(0)))


def _trades(desk: SimulatedDesk, settings: Settings) -> Iterator[VenueTrade]:
    page = desk.account.trades(settings.instrument, _PAGE, from_id=0)
    while page:
        yield from page
        page = desk.account.trades(settings.instrument, _PAGE, from_id=page[-1].trade_id + 1)
