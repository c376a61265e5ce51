"""`flatten` at a venue whose answers are lost, late or old: each order counts once, and none is sent twice."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from commands.actions import flatten as action
from commands.actions.flatten import Flattener, Neutral
from commands.app import app
from desk.client import DeskError, NoDeskError, SilentDeskError
from desk.desk_file import DESK_FILE
from desk.risk_file import write_risk
from desk.settings import Settings, load_settings
from market.account import Balance, VenueOrder
from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from nodes.maker.ids import PREFIX_FILE
from trading.escalation import DAY_NS
from trading.escalation import Account as RiskAccount
from trading.order_rules import OrderRules
from trading.readings import Amounts
from venues.binance_account import BinanceAccount
from venues.venue import VenueBusyError, VenueRefusedError, VenueUnavailableError, VenueUnknownError

RULES = OrderRules(qty_min=Decimal("0.00001"), notional_min=Decimal(5))


class Account:
    """One bitcoin is neutral; an IOC order is filled from a book of one price a side, in which there is enough.

    Attributes:
        entered: every order that has arrived, by its client order id.
        replies: what becomes of the next orders: an error that is raised once it has arrived, or instead.
        lags_after_order: how many answers tell the balances of before the last order.
        denials: how many questions are answered as if there were no such order.
        deposit: what comes in with each order.
        fee: of what is bought, in the base asset.
    """

    def __init__(self, held: str) -> None:
        self.held = [Decimal(held)]
        self.entered: dict[str, VenueOrder] = {}
        self.sent: list[str] = []
        self.replies: list[tuple[BaseException | None, bool]] = []
        self.lags_after_order = self.lags = 0
        self.deposit = Decimal(0)
        self.fee = Decimal(0)
        self.has_book = True
        self.bid_ticks = 9_138_400
        self.others: list[VenueOrder] = []
        self.is_findable = True
        self.denials = 0

    account_name = "scripted"

    def depth(self, _: Instrument, __: int) -> Depth:
        bids, asks = (Level(self.bid_ticks, 10**9),), (Level(self.bid_ticks + 200, 10**9),)
        return Depth(bids, asks) if self.has_book else Depth((Level(1, 1),), (Level(18_276_999, 1),))

    def balances(self) -> Mapping[str, Balance]:
        self.lags, is_old = max(0, self.lags - 1), self.lags > 0
        return {"BTC": Balance(self.held[-2 if is_old else -1], Decimal(0))}

    def open_orders(self, _: Instrument | None = None) -> Sequence[VenueOrder]:
        return self.others

    def cancel_in(self, _: str, order_id: str) -> VenueOrder | None:
        (order,) = (each for each in self.others if each.order_id == order_id)
        self.others.remove(order)
        return replace(order, status="CANCELED")

    def find_order(self, _: Instrument, client_order_id: str) -> VenueOrder | None:
        if not self.is_findable:
            raise VenueUnavailableError("it does not answer")
        if self.denials:
            self.denials -= 1
            return None
        return self.entered.get(client_order_id)

    def enter(self, pair: Instrument, side: Side, terms: Mapping[str, str], name: str) -> VenueOrder:
        self.sent.append(name)
        assert terms["timeInForce"] == "IOC"
        error, has_arrived = self.replies.pop(0) if self.replies else (None, True)
        price, qty = Decimal(terms["price"]), Decimal(terms["quantity"])
        order = VenueOrder(str(len(self.sent)), name, pair.symbol, side, price, qty, qty, "FILLED", 5, qty * price)
        if has_arrived:
            self.entered[name] = order
            self.held.append(self.held[-1] + (qty * (1 - self.fee) if side == Side.BUY else -qty))
            self.held[-1] += self.deposit
            self.lags = self.lags_after_order
        if error is not None:
            raise error
        return order


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action, "PAUSE_S", 0.001)
    monkeypatch.setattr(action, "ARRIVAL_S_MAX", 0.1)
    monkeypatch.setattr(action, "ANSWER_S_MAX", 0.3)


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return load_settings({"run_dir": tmp_path}).settings


Run = Callable[[Account], list[str]]


@pytest.fixture
def run(settings: Settings) -> Run:
    """Flatten one account, and return what was told."""

    def flatten(account: Account) -> list[str]:
        told: list[str] = []
        neutral = Neutral(Decimal(1), "as was said")
        venue = cast("BinanceAccount", account)
        flattener = Flattener(settings, venue, RULES, neutral, Decimal("0.005"), told.append)
        flattener.cancel_own()
        flattener.run()
        return told

    return flatten


@pytest.mark.parametrize("held", ["1.05", "0.95", "1", "1.00004"])
def test_long_or_short_it_ends_flat(run: Run, held: str) -> None:
    """Each order is within the slice; what no order can be is left, and told."""
    account = Account(held)
    told = run(account)
    rest = Decimal("0.00004") if held == "1.00004" else Decimal(0)
    assert account.held[-1] == 1 + rest
    assert told[-1].startswith("BTCUSDT is flat")
    assert ("0.00004 BTC is left" in told[-1]) == bool(rest)
    assert all(order.qty * order.price <= 1_000 for order in account.entered.values())


def test_fee_in_what_was_bought_is_bought_as_well(run: Run) -> None:
    """A second round makes up for the first one's fee, if that is worth an order."""
    account = Account("0.5")
    account.fee = Decimal("0.001")
    assert run(account)[-1].startswith("BTCUSDT is flat")
    assert abs(account.held[-1] - 1) * 91_000 < 6


def test_fee_of_several_per_cent_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """More than 2 % of what was traded was missing: it took that for somebody else's doing."""
    account = Account("0.95")
    account.fee = Decimal("0.05")
    dear = load_settings({"run_dir": tmp_path, "paper.taker_fee": "0.05"}).settings
    neutral, told = Neutral(Decimal(1), "as was said"), list[str]()
    for each, is_known in ((settings, False), (dear, True)):
        venue = cast("BinanceAccount", account)
        flattener = Flattener(each, venue, RULES, neutral, Decimal("0.005"), told.append)
        if not is_known:
            monkeypatch.setattr(action, "ARRIVAL_S_MAX", 0.01)
            with pytest.raises(DeskError, match="the balances do not agree"):
                flattener.run()
        else:
            monkeypatch.setattr(action, "ARRIVAL_S_MAX", 0.1)
            flattener.run()
    assert told[-1].startswith("BTCUSDT is flat")


@pytest.mark.parametrize("has_arrived", [True, False])
def test_an_order_without_an_answer_is_asked_for_and_counts_once(run: Run, *, has_arrived: bool) -> None:
    """Guards one that is entered again although it traded, and one that never arrived and is taken for traded."""
    account = Account("1.005")
    account.replies = [(VenueUnknownError("lost"), has_arrived)]
    told = run(account)
    assert account.held[-1] == 1
    assert len(account.entered) == 1
    assert len(account.sent) == (1 if has_arrived else 2)
    assert any("has not arrived" in line for line in told) != has_arrived


@pytest.mark.parametrize(("arrival_s", "denials"), [(30, 5), (0, 1)], ids=["in its time", "once later"])
def test_a_denial_is_not_final_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, arrival_s: float, denials: int
) -> None:
    """Guards a second order beside one that was only late: before it can no longer arrive, and at the first denial."""
    monkeypatch.setattr(action, "ARRIVAL_S_MAX", arrival_s)
    monkeypatch.setattr(action, "ANSWER_S_MAX", 60)
    monkeypatch.setattr(Flattener, "_settled_qty", lambda self, *_: self._held_qty())
    monkeypatch.setattr(Flattener, "_mid_ticks_x2", lambda _: 18_277_000)
    account = Account("1.005")
    account.replies, account.denials = [(VenueUnknownError("lost"), True)], denials
    run(account)
    assert account.held[-1] == 1
    assert len(account.sent) == 1


def test_nothing_more_is_sent_while_a_fate_is_unknown(run: Run) -> None:
    """It ends, and names the order."""
    account = Account("1.05")
    account.replies, account.is_findable = [(VenueUnknownError("lost"), True)], False
    with pytest.raises(DeskError, match=r"the fate of order flatten-\w+-1 is unknown \(it does not answer\)"):
        run(account)
    assert len(account.sent) == 1


def test_a_busy_venue_is_asked_when_it_likes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asked twice a second while it had said that it bans who does not wait."""
    account, asked, wait_s = Account("1.05"), list[str](), [30.0, 0.2]
    account.replies = [(VenueUnknownError("lost"), True), (VenueUnknownError("lost"), True)]

    def find_order(_: Instrument, name: str) -> VenueOrder | None:
        asked.append(name)
        raise VenueBusyError("slow down", wait_s[0])

    monkeypatch.setattr(account, "find_order", find_order)
    for count_max in (1, 2):
        asked.clear()
        with pytest.raises(DeskError, match=r"is unknown \(slow down\)"):
            run(account)
        assert 1 <= len(asked) <= count_max
        del wait_s[0]


def test_where_no_desk_has_ever_run_nothing_is_asked(settings: Settings, tmp_path: Path) -> None:
    """A misspelt run directory was a traceback, after the venue had been asked."""
    nowhere = settings.model_copy(update={"run_dir": tmp_path / "misspelt"})
    with pytest.raises(NoDeskError):
        action.flatten(nowhere, "BTCUSDT", Decimal(1), Decimal("0.005"), None, pytest.fail)


def test_an_order_that_has_not_left_may_be_sent_again(run: Run) -> None:
    """It is another one, with a name of its own."""
    account = Account("1.005")
    account.replies = [(VenueUnavailableError("out of reach"), False)] * 3
    run(account)
    assert account.held[-1] == 1
    assert len(set(account.sent)) == 4


def test_old_balances_are_waited_for(run: Run) -> None:
    """Guards a position that is sold twice, since the account still told of it."""
    account = Account("1.005")
    account.lags_after_order = 5
    run(account)
    assert account.held[-1] == 1
    assert len(account.sent) == 1


def test_balances_that_somebody_else_moves_end_it(run: Run) -> None:
    """Nobody knows then what is to be traded."""
    account = Account("1.005")
    account.deposit = Decimal(3)
    with pytest.raises(DeskError, match="the balances do not agree"):
        run(account)
    assert len(account.sent) == 1


def test_nobody_within_the_band_ends_it(run: Run) -> None:
    """No worse price is taken, nothing is sent, and what is left is said."""
    account = Account("1.05")
    account.has_book = False
    with pytest.raises(DeskError, match=r"nobody trades at \$90,928.08 or better: 0.05 BTC is left"):
        run(account)
    assert account.sent == []


def test_no_order_is_worse_than_what_was_told(settings: Settings) -> None:
    """The market fell while somebody typed the symbol: the band was taken anew, from where it was then."""
    account, told = Account("1.05"), list[str]()
    neutral, venue = Neutral(Decimal(1), "as was said"), cast("BinanceAccount", account)
    flattener = Flattener(settings, venue, RULES, neutral, Decimal("0.005"), told.append)
    flattener.show()
    assert "none worse than $90,928.08" in told[1]
    account.bid_ticks -= 100_000
    with pytest.raises(DeskError, match=r"nobody trades at \$90,928.08 or better: 0.05 BTC is left"):
        flattener.run()
    assert account.sent == []


def test_refusal_ends_it(run: Run) -> None:
    """With the venue's words, after one order."""
    account = Account("1.05")
    account.replies = [(VenueRefusedError("paper: Market is closed. (-1013)"), False)]
    with pytest.raises(VenueRefusedError, match="Market is closed"):
        run(account)
    assert len(account.sent) == 1


def test_orders_of_others_end_it_before_anything_is_sent(run: Run) -> None:
    """They could trade again, or with us; the maker's own are cancelled."""
    account = Account("1.05")
    one = Decimal(1)
    account.others = [VenueOrder("7", "hand-1", "BTCUSDT", Side.BUY, one, one, Decimal(0), "NEW", 5)]
    with pytest.raises(DeskError, match="1 order of this account by others than the maker: cancel them first"):
        run(account)
    assert account.sent == []
    assert len(account.others) == 1


def test_order_between_the_steps_of_the_pair_keeps_nobody_from_flattening(settings: Settings) -> None:
    """It is of a run with other steps. The command ended with a traceback, before it had asked anything."""
    account, told = Account("1.5"), list[str]()
    price, qty, no = Decimal("91385.005"), Decimal("0.01"), Decimal(0)
    account.others = [VenueOrder("7", "tb-1", "BTCUSDT", Side.BUY, price, qty, no, "NEW", 5, no)]
    neutral = Neutral(Decimal(1), "as was said")
    Flattener(settings, cast("BinanceAccount", account), RULES, neutral, Decimal("0.005"), told.append).show()
    assert any("the book has 0.5 BTC of it" in line for line in told), told


def test_interrupted_it_says_how_to_go_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C left a stopped maker and a part of the position behind without a word."""
    account, told = Account("1.05"), list[str]()
    account.replies = [(None, True), (KeyboardInterrupt(), True)]
    monkeypatch.setattr(account, "load", lambda _: RULES, raising=False)
    monkeypatch.setattr(action, "command_venue", lambda _: account)
    with pytest.raises(KeyboardInterrupt):
        action.flatten(settings, "ETHUSDT", Decimal(1), Decimal("0.005"), lambda: None, told.append)
    assert len(account.sent) == 2
    assert told[-1].startswith("interrupted, and perhaps not flat; go on with: python cli.py flatten BTC")
    assert "--neutral 1 " in told[-1]


@pytest.mark.parametrize("row", [None, {"state": "stopped", "figures": {}}], ids=["without maker", "stopped"])
@pytest.mark.parametrize("pair", ["BTCUSDT", "ETHUSDT"])
def test_without_a_maker_that_runs_its_file_says_what_is_no_position(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, row: dict[str, Any] | None, pair: str
) -> None:
    """A desk that was started anew without its maker asked for --neutral, though the maker would have known."""
    account, told = Account("1.05"), list[str]()
    monkeypatch.setattr(account, "load", lambda _: RULES, raising=False)
    monkeypatch.setattr(account, "account_name", "scripted", raising=False)
    monkeypatch.setattr(action, "command_venue", lambda _: account)
    monkeypatch.setattr(action, "_maker_row", lambda _: row)
    kept = RiskAccount(0, Decimal("1.01"), Decimal(0), Decimal(0))
    write_risk(settings.run_dir, f"scripted {pair}", kept, is_synced=False)
    flat = partial(action.flatten, settings, "BTCUSDT", None, Decimal("0.005"), lambda: None, told.append)
    if pair == "BTCUSDT":
        flat()
        assert account.held[-1] == Decimal("1.01")
        assert "1.01 BTC neutral, what was there when the maker first started" in told[0]
    else:
        with pytest.raises(DeskError, match="nobody says how much BTC is no position"):
            flat()
        assert (account.sent, told) == ([], [])


@pytest.mark.parametrize("quoted", ["BTCUSDT", "ETHUSDT"])
def test_preview_says_that_its_cost_leads_the_maker_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, quoted: str
) -> None:
    """0.5 BTC at 0.1 % of fees and a dollar of slippage each are 46.19 USDT; 455 of 500 are lost."""
    account, told = Account("1.5"), list[str]()
    monkeypatch.setattr(account, "load", lambda _: RULES, raising=False)
    monkeypatch.setattr(action, "command_venue", lambda _: account)
    has = Amounts(Decimal("1.5"), Decimal(0))
    start = has.value(Decimal(91_385)) - Decimal(91_385) + 455
    kept = RiskAccount(time.time_ns() // DAY_NS, Decimal(1), start, start, has=has)
    write_risk(settings.run_dir, "scripted BTCUSDT", kept, is_synced=False)
    action.flatten(settings, quoted, Decimal(1), Decimal("0.005"), None, told.append)
    assert account.sent == []
    warned = [line for line in told if "the maker withdraws when it is started again, widens: 50" in line]
    assert warned == (told[-1:] if quoted == "BTCUSDT" else [])


@pytest.mark.parametrize("quoted", ["BTCUSDT", "ETHUSDT"])
def test_a_supervisor_that_hangs_is_told_before_anybody_types(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, quoted: str
) -> None:
    """It asked for the symbol, and then said that the maker cannot be stopped. Of another pair it need not be."""
    account, asked = Account("1.05"), list[str]()

    def silent(run_dir: Path) -> dict[str, Any]:
        raise SilentDeskError(run_dir, 7)

    monkeypatch.setattr(account, "load", lambda _: RULES, raising=False)
    monkeypatch.setattr(action, "command_venue", lambda _: account)
    monkeypatch.setattr(action, "_maker_row", silent)
    flat = partial(action.flatten, settings, quoted, Decimal(1), Decimal("0.005"), lambda: asked.append("?"), print)
    if quoted == "ETHUSDT":
        flat()
        assert (asked, account.held[-1]) == (["?"], Decimal(1))
        return
    with pytest.raises(SilentDeskError):
        flat()
    assert (asked, account.sent) == ([], [])


def test_an_order_that_a_killed_maker_had_sent_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It arrived behind the only look, and rested when all was told to be flat."""
    account, told, looks = Account("1.005"), list[str](), list[int]()
    (settings.run_dir / PREFIX_FILE).write_text("0a1b2c\n")
    (settings.run_dir / DESK_FILE).write_text(json.dumps({"pid": 1, "settings": {"venue.name": "paper"}}))
    late = VenueOrder("7", "tb-0a1b2c-1", "BTCUSDT", Side.BUY, Decimal(1), Decimal(1), Decimal(0), "NEW", 5)

    def open_orders(_: Instrument | None = None) -> Sequence[VenueOrder]:
        looks.append(len(looks))
        if len(looks) == 4:  # to show, to refuse, and to cancel
            account.others.append(late)
        return list(account.others)

    monkeypatch.setattr(account, "open_orders", open_orders)
    monkeypatch.setattr(account, "load", lambda _: RULES, raising=False)
    monkeypatch.setattr(action, "command_venue", lambda _: account)
    action.flatten(settings, "BTCUSDT", Decimal(1), Decimal("0.005"), lambda: None, told.append)
    assert "cancelled 7, which a maker had left" in told
    assert (account.others, told[-1]) == ([], "BTCUSDT is flat")


def test_nobody_to_type_the_symbol_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A script without a terminal was told `Aborted.`, and not by what it goes on."""

    def ask(*args: Any) -> None:
        args[4]()

    monkeypatch.setattr("commands.actions.flatten.flatten", ask)
    result = CliRunner().invoke(app, ["flatten", "--run-dir", str(tmp_path)], input="")
    assert isinstance(result.exception, DeskError)
    assert str(result.exception) == "nothing was done: nobody has typed BTCUSDT; with --yes nobody is asked"
    result = CliRunner().invoke(app, ["flatten", "--run-dir", str(tmp_path)], input="btc/usdt\n")
    assert result.exit_code == 0
