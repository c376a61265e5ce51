"""Money that comes to the account or leaves it, and an answer that makes no sense: neither is a loss, and a loss is."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from desk.settings import load_settings
from market.account import Balance
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from paper.money.history import Span
from simulation.desk import SimulatedDesk
from tests.cases import some
from tests.simulation.test_desk import START_NS
from tests.trading.markets import BTCUSDT
from trading import notes
from trading.escalation import Stage, Triggers
from trading.guard import Guard
from trading.limits import Limits
from trading.order_rules import OrderRules
from trading.own_orders import OwnOrders
from trading.position import Position
from trading.readings import Amounts

MID_TICKS = 10_000_000
LIMITS = Triggers(daily_loss=Decimal(1_000), drawdown=Decimal(2_000))
NOTHING = OwnOrders(0)
PRICES = {"BTC": 91_385, "BNB": 900}
PAID_IN = {
    ("received", "BTCUSDT"): {"BTC", "USDT"},
    ("base", "BTCUSDT"): {"BTC"},
    ("quote", "BTCUSDT"): {"USDT"},
    ("BNB", "BTCUSDT"): {"BTC", "USDT"},
    ("BNB", "BNBUSDT"): {"BNB"},
}


class Watched:
    """A guard that looks four times a second at an account with 1 BTC and 100,000 USDT at 100,000, asked when due."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.guard = Guard(Limits(), BTCUSDT, OrderRules(), LIMITS)
        self.position = Position(BTCUSDT, lag_ns=NS_PER_SECOND)
        self.mid_ticks = MID_TICKS
        self.run(15, "1", "100000")

    def run(self, seconds: float, base: str, quote: str) -> list[notes.Note]:
        """Let so much time go by in which each answer is this; return what is told."""
        has = {"BTC": Balance(Decimal(base), Decimal(0)), "USDT": Balance(Decimal(quote), Decimal(0))}
        return self.told(seconds, {asset: balance for asset, balance in has.items() if balance.total})

    def told(self, seconds: float, has: Mapping[str, Balance]) -> list[notes.Note]:
        """Do the same with the answer as it is."""
        for _ in range(int(4 * seconds)):
            self.now_ns += NS_PER_SECOND // 4
            if self.guard.is_to_ask(self.position, self.now_ns):
                self.position.ask(self.now_ns)
                self.guard.balances(has, self.now_ns, self.position, NOTHING)
            depth = Depth((Level(self.mid_ticks - 1, 1),), (Level(self.mid_ticks + 1, 1),))
            self.guard.look(self.now_ns, depth, self.position, NOTHING)
        return self.guard.take_notes()

    def ask_now(self, has: Mapping[str, Balance]) -> None:
        """Take one answer."""
        self.position.ask(self.now_ns)
        self.guard.balances(has, self.now_ns, self.position, NOTHING)

    @property
    def stage(self) -> Stage:
        """How far it has withdrawn."""
        return self.guard.escalation.stage


@pytest.fixture
def one() -> Watched:
    """A guard that knows its account."""
    return Watched()


@pytest.mark.parametrize("senseless", [{}, {"BTC": Balance(Decimal(0), Decimal(0))}])
def test_one_senseless_answer_leads_nowhere_and_is_gone_a_second_later(
    one: Watched, senseless: Mapping[str, Balance]
) -> None:
    """An empty list was a loss of all that there is: the maker disconnected, and only a person brought it back."""
    for _ in range(3):
        one.ask_now(senseless)
        assert one.run(15, "1", "100000") == []
        assert one.stage == Stage.QUOTES
        assert not any(one.guard.escalation.seen)
        assert one.position.qty == 0


@pytest.mark.parametrize(
    ("base", "quote", "value"), [("1", "50000", -50_000), ("1.5", "100000", 50_000), ("1", "7", -99_993)]
)
def test_deposit_or_withdrawal_is_told_once_and_is_neither_gain_nor_loss(
    one: Watched, base: str, quote: str, value: int
) -> None:
    """Who took out half of his money had a maker that disconnected; who paid in had a loss limit that never came."""
    before = Amounts(Decimal(1), Decimal(100_000))
    told = one.run(30, base, quote)
    assert told == [notes.Flowed(Amounts(Decimal(base) - before.base, Decimal(quote) - before.quote), Decimal(value))]
    assert one.stage == Stage.QUOTES
    assert not any(one.guard.escalation.seen)


def test_loss_after_a_deposit_is_a_loss(one: Watched) -> None:
    """It is counted from what there was with it, and needs no second look: fills and the mid explain it."""
    one.run(30, "1", "150000")
    one.position.fill(Side.BUY, Decimal(1), Decimal(100_000), one.now_ns)
    one.run(10, "2", "50000")
    assert one.guard.escalation.seen.loss == 0
    one.mid_ticks = MID_TICKS * 99 // 100
    one.run(2, "2", "50000")
    assert one.guard.escalation.seen.loss == 1_000
    assert one.stage == Stage.FLATTENS


def test_fee_is_a_loss(one: Watched) -> None:
    """What a fill takes beyond its price is no flow."""
    one.position.fill(Side.BUY, Decimal("0.5"), Decimal(100_000), one.now_ns)
    assert one.run(20, "1.4995", "50000") == []
    assert one.guard.escalation.seen.loss == 50


def test_account_that_was_wiped_begins_anew_and_is_told(one: Watched) -> None:
    """With what it has lost that day."""
    one.mid_ticks = MID_TICKS * 99 // 100
    one.position.fill(Side.BUY, Decimal("0.4"), Decimal(100_000), one.now_ns)
    one.run(15, "1.4", "60000")
    assert one.guard.escalation.seen.loss == 400
    told = one.run(15, "0.3", "5000")
    assert [type(note) for note in told] == [notes.Flowed]
    assert one.position.qty == Decimal("-0.7")
    one.position.forget(Side.BUY, Decimal(0), Decimal(100_000), one.now_ns)
    assert one.run(5, "0.3", "5000") == [notes.Wiped(Decimal("0.3"))]
    assert (one.position.qty, one.guard.escalation.seen.loss) == (Decimal(0), Decimal(400))
    account = one.guard.escalation.account
    assert account is not None
    assert account.neutral_qty == Decimal("0.3"), "as the next run goes by it"


@pytest.mark.parametrize("seed", some([7, 8], 1))
def test_simulated_desk_that_is_paid_and_wiped_goes_on(tmp_path: Path, seed: int) -> None:
    """With its quotes, and with the loss that it has made."""
    more = {"maker.limits.daily_loss": 1_000, "maker.half_spread": "0.0005", "flow.seed": seed}
    desk = SimulatedDesk(load_settings({"run_dir": tmp_path, **more}).settings, START_NS, tmp_path / "reports")
    for second, act in ((60, "deposit"), (120, "wipe"), (180, "")):
        desk.run(START_NS + second * NS_PER_SECOND)
        lost = desk.trader.guard.escalation.seen.loss
        assert abs(lost) < 200
        if act == "deposit":
            desk.exchange.exchange.deposit(1, "USDT", 20_000 * 10**8, desk.heap.now_ns)
        elif act == "wipe":
            desk.exchange.exchange.reset_account(1, desk.heap.now_ns)
    assert desk.told.counts["Flowed"] == 2
    assert desk.told.counts["Withdrew"] == 0
    assert desk.told.counts["Filled"] > 10


@pytest.mark.parametrize(
    ("fee_in", "fee", "symbol"),
    [
        ("received", "0.03", "BTCUSDT"),
        ("base", "0.03", "BTCUSDT"),
        ("quote", "0.03", "BTCUSDT"),
        ("BNB", "0.03", "BTCUSDT"),
        ("BNB", "0.03", "BNBUSDT"),
        ("base", "0.001", "BTCUSDT"),
    ],
    ids=["of what is received", "base", "quote", "BNB without a price", "BNB while there is some", "a small one"],
)
def test_simulated_desk_takes_no_fee_for_a_flow(tmp_path: Path, fee_in: str, fee: str, symbol: str) -> None:
    """Of 3 % of each fill, in whichever asset: what it knows is what there is, and the exchange's ledger adds up."""
    fees = {"paper.maker_fee": fee, "paper.taker_fee": fee, "paper.fee_in": fee_in, "paper.bnb_discount": "0"}
    more = {"maker.half_spread": "0.0005", "maker.limits.daily_loss": 1_000_000, "maker.limits.drawdown": 1_000_000}
    settings = load_settings({"run_dir": tmp_path, "symbol": symbol, "maker.notional": "200", **fees, **more}).settings
    desk = SimulatedDesk(settings, START_NS, tmp_path / "reports")
    desk.run(START_NS + 60 * NS_PER_SECOND)
    assert desk.told.counts["Filled"] > 5
    assert desk.told.counts["Flowed"] == 0
    ledger, base = desk.exchange.exchange.ledger, settings.instrument.base
    ledger.check()
    held = sum(ledger.wallets.of(1)[base])
    known = desk.trader.position, desk.trader.neutral
    assert None not in known
    assert abs(sum(each for each in known if each is not None) - Decimal(held) / 10**8) * PRICES[base] < 40
    paid_in = {
        trade.fee_asset for trade in ledger.history.trades(1, desk.exchange.exchange.symbols[symbol], None, Span(1_000))
    }
    assert paid_in == PAID_IN[fee_in, symbol]
