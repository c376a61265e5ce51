"""When a maker withdraws, how far, and that only a person takes it back."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.settings import load_settings
from market.account import Balance
from market.clock import NS_PER_SECOND
from market.codes import Side
from simulation.desk import SimulatedDesk
from tests.cases import some
from tests.pairs import default_instruments
from tests.simulation.test_desk import START_NS
from trading.escalation import DAY_NS, STANDS_NS, Account, Escalation, Stage, Triggers
from trading.guard import widened
from trading.quoting import Quote

BTCUSDT = default_instruments()[0]
MID = Decimal(100_000)
LIMITS = Triggers(daily_loss=Decimal(1_000), drawdown=Decimal(2_000))
NOON_NS = DAY_NS // 2
BTC_2 = {"USDT": Balance(Decimal(0), Decimal(0)), "BTC": Balance(Decimal(2), Decimal(0))}


class Looked:
    """An escalation that is shown an account, each time for long enough."""

    def __init__(self, triggers: Triggers = LIMITS, now_ns: int = NOON_NS) -> None:
        self.escalation = Escalation(triggers, BTCUSDT)
        self.now_ns = now_ns

    def at(self, quote: int, base: str = "1", use: str = "0", mid: Decimal = MID, neutral: str = "1") -> Stage:
        """Return the stage after so much was there."""
        balances = {
            "USDT": Balance(Decimal(quote), Decimal(0)),
            "BTC": Balance(Decimal(0), Decimal(base)),
        }
        for _ in range(5):
            self.escalation.look(self.now_ns, mid, balances, Decimal(neutral), Decimal(use))
            self.now_ns += STANDS_NS
        return self.escalation.stage


def begun() -> Escalation:
    """Return an escalation whose day has begun at `MID`, just before `NOON_NS`, with a position of 1 BTC."""
    one = Escalation(LIMITS, BTCUSDT)
    for at in range(-5, 0):
        one.look(NOON_NS + at * STANDS_NS, MID, BTC_2, Decimal(1), Decimal(0))
    return one


def test_each_stage_has_its_number() -> None:
    """Half of a loss widens, all of it flattens, half as much again disconnects; a drawdown cancels."""
    one = Looked()
    assert one.at(10_000) == Stage.QUOTES
    assert one.at(9_501) == Stage.QUOTES
    assert one.at(9_500) == Stage.WIDENS
    assert one.escalation.why.text == "widens: 500.00 USDT lost today, from 500.0 on"
    assert one.at(9_001) == Stage.WIDENS
    assert one.at(9_000) == Stage.FLATTENS
    assert one.at(8_500) == Stage.DISCONNECTS
    one = Looked()
    one.at(10_000)
    one.at(11_500)
    assert one.at(9_501) == Stage.WIDENS
    assert one.at(9_500) == Stage.CANCELS_ALL
    assert one.escalation.why.text == "cancels all: 2000.00 USDT below the peak, from 2000 on"
    assert one.escalation.why.numbers == {"below_peak": 2_000, "below_peak_from": 2_000}
    one = Looked()
    one.at(10_000, use="1.49")
    assert one.escalation.stage == Stage.QUOTES
    assert one.at(10_000, use="1.5") == Stage.STOPS_NEW


def test_both_numbers_are_told_that_lead_to_a_stage_and_each_is_as_far_as_that() -> None:
    """The loss hid the drawdown; one of 0.004 from 0.003 on was told as 0.00."""
    one = Looked(Triggers(Decimal("0.006"), Decimal("0.008")))
    one.at(10_000)
    one.at(10_000, base="0.99999996")
    assert one.escalation.why.text == (
        "widens: 0.004 USDT lost today, from 0.0030 on; 0.004 USDT below the peak, from 0.0040 on"
    )
    numbers = (
        ("lost_today", "0.004"),
        ("lost_today_from", "0.003"),
        ("below_peak", "0.004"),
        ("below_peak_from", "0.004"),
    )
    assert one.escalation.why.numbers == {name: Decimal(number) for name, number in numbers}


def test_position_counts_at_the_mid_and_what_is_neutral_does_not() -> None:
    """0.1 BTC that was bought loses 1 % of 10,000; the one that was there loses nobody anything."""
    one = Looked()
    one.at(20_000)
    one.at(10_000, base="1.1")
    assert one.escalation.seen.loss == 0
    one.at(10_000, base="1.1", mid=Decimal(99_000))
    assert one.escalation.seen.loss == 100


def test_number_that_stands_for_a_moment_leads_nowhere() -> None:
    """A sweep moves the mid, and the book is filled again."""
    one = begun()
    balances = BTC_2
    reached = [
        one.look(NOON_NS + at * (STANDS_NS - 1), mid, balances, Decimal(1), Decimal(0))
        for at, mid in enumerate((MID, MID * 9 / 10, MID, MID * 9 / 10, MID * 9 / 10))
    ]
    assert reached == [None] * 5
    assert one.look(NOON_NS + 5 * STANDS_NS, MID * 9 / 10, balances, Decimal(1), Decimal(0)) == Stage.DISCONNECTS


def test_peak_that_stands_for_a_moment_is_none() -> None:
    """A sweep had carried the mid upwards: once it was back, a drawdown that nobody had lost cancelled all."""
    one, balances = begun(), BTC_2
    for at, mid in enumerate((MID, MID * 11 / 10, MID, MID * 11 / 10, MID * 12 / 10, MID, MID, MID)):
        assert one.look(NOON_NS + at * STANDS_NS * 2 // 3, mid, balances, Decimal(1), Decimal(0)) is None
        assert one.seen.drawdown == 0
    one.look(NOON_NS + 9 * STANDS_NS, MID * 11 / 10, balances, Decimal(1), Decimal(0))
    one.flow(MID / 10)
    for at, (mid, drawdown) in enumerate(((MID * 12 / 10, 0), (MID * 13 / 10, 0), (MID, 20_000)), 10):
        one.look(NOON_NS + at * STANDS_NS, mid, balances, Decimal(1), Decimal(0))
        assert one.seen.drawdown == drawdown, "the least of what has stood"


@pytest.mark.parametrize("factor", ["1.1", "0.9"])
@pytest.mark.parametrize("is_first", [True, False])
def test_day_begins_with_what_stands_and_not_with_a_moment(factor: str, *, is_first: bool) -> None:
    """A sweep at midnight, or as the desk came up, was the beginning: all day long so much was lost, or could be."""
    one = Escalation(LIMITS, BTCUSDT) if is_first else begun()
    midnight_ns, lost = 2 * DAY_NS, set()
    for at in range(20):  # one that stands for 0.9 s, and comes back for a moment
        mid = MID * Decimal(factor) if at < 3 or at == 6 else MID
        reached = one.look(midnight_ns + at * 3 * STANDS_NS // 10, mid, BTC_2, Decimal(1), Decimal(0))
        assert reached is None
        lost.add(one.seen.loss)
    assert lost == {0}
    assert one.account is not None
    assert (one.account.day, one.account.start, one.seen.drawdown) == (2, MID, Decimal(0))
    assert (one.account.peak, one.account.is_begun) == (MID, True)


def test_day_that_one_life_has_seen_for_a_moment_begins_with_what_stands() -> None:
    """What was seen once was kept as what the day had begun with, whatever came after it."""
    one = Escalation(LIMITS, BTCUSDT)
    one.look(NOON_NS, MID * 11 / 10, BTC_2, Decimal(1), Decimal(0))
    successor = Escalation(LIMITS, BTCUSDT)
    successor.account = one.account
    for at in range(1, 6):
        assert successor.look(NOON_NS + at * STANDS_NS, MID, BTC_2, Decimal(1), Decimal(0)) is None
    assert successor.account is not None
    assert (successor.account.start, successor.account.peak, successor.seen.loss) == (MID, MID, Decimal(0))


class Lives:
    """Looks at one account, each in a life of its own, some seconds after the one before."""

    def __init__(self, now_ns: int = NOON_NS) -> None:
        self.now_ns = now_ns
        self.account: Account | None = None

    def look(self, mid: Decimal = MID, after_s: int = 5, neutral: str = "1") -> Escalation:
        """Look once and end."""
        self.now_ns += after_s * NS_PER_SECOND
        one = Escalation(LIMITS, BTCUSDT)
        one.account = self.account
        one.look(self.now_ns, mid, BTC_2, Decimal(neutral), Decimal(0))
        self.account = one.account
        return one


def test_day_begins_over_lives_that_are_shorter_than_its_beginning() -> None:
    """A maker that crashed within 3 s of each start had no limit of a day's loss; a number of a stage never stood."""
    lives = Lives()
    for _ in range(3):
        assert lives.look().account is not None
    assert lives.look().seen.loss == 0
    assert lives.account is not None
    assert (lives.account.start, lives.account.peak, lives.account.is_begun) == (MID, MID, True)
    assert lives.look(MID * 99 / 100).stage == Stage.QUOTES, "it may be a moment"
    assert lives.look(MID * 99 / 100, after_s=1).stage == Stage.FLATTENS


def test_next_day_begins_over_such_lives_too_and_not_with_looks_of_the_day_before() -> None:
    """Two looks at a day, and the next ones a day later: the price of then is the beginning."""
    lives = Lives()
    for _ in range(4):
        lives.look()
    lives.now_ns = 2 * DAY_NS
    lives.look(MID * 11 / 10)
    lives.look(MID * 11 / 10)
    lives.now_ns += DAY_NS
    for _ in range(3):
        assert lives.look(MID * 12 / 10).seen.loss == 0
        assert lives.account is not None
        assert lives.account.day == 0, "those of the day before do not count"
    begun = lives.look(MID * 12 / 10).account
    assert begun is not None
    assert (begun.day, begun.start) == (3, MID * 12 / 10)


def test_peak_stands_over_lives_that_are_shorter_than_a_second() -> None:
    """What each of them had gained for a moment was below no peak once it was lost; the least of it is."""
    lives = Lives()
    for _ in range(4):
        lives.look()
    assert lives.look(MID * 101 / 100).seen.drawdown == 0
    lives.look(MID * 102 / 100, after_s=1)
    assert lives.look(MID).seen.drawdown == 1_000


def test_what_has_begun_to_stand_stands_a_second_after_a_clock_is_set_back() -> None:
    """A loss that was first seen tomorrow led nowhere for a day."""
    lives = Lives(2 * DAY_NS)
    for _ in range(4):
        lives.look()
    lives.look(MID * 99 / 100)
    lives.now_ns -= DAY_NS
    assert lives.look(MID * 99 / 100).stage == Stage.QUOTES
    assert lives.look(MID * 99 / 100, after_s=1).stage == Stage.FLATTENS


def test_day_begins_with_what_counts_by_the_last_word_on_what_is_neutral() -> None:
    """A person who sets maker.neutral while a day begins, between two lives, has neither earned nor lost by that."""
    lives = Lives()
    for neutral in ("1", "1", "0", "0"):
        lives.look(neutral=neutral)
    assert lives.account is not None
    assert (lives.account.start, lives.account.neutral_qty) == (2 * MID, Decimal(0))


def test_one_look_before_a_long_pause_is_a_moment() -> None:
    """In a market that nobody trades in, a maker looks every five seconds."""
    one = Escalation(LIMITS, BTCUSDT)
    for at, mid in enumerate((MID * 11 / 10, MID, MID, MID)):
        one.look(NOON_NS + at * 5 * STANDS_NS, mid, BTC_2, Decimal(1), Decimal(0))
    assert one.account is not None
    assert (one.account.start, one.account.is_begun) == (MID, True)


def test_deposit_while_a_day_begins_is_no_part_of_it() -> None:
    """What comes without a trade is neither earned nor lost, then neither."""
    one = Escalation(LIMITS, BTCUSDT)
    richer = BTC_2 | {"USDT": Balance(Decimal(5_000), Decimal(0))}
    for at in range(6):
        if at == 3:
            one.flow(Decimal(5_000))
        one.look(NOON_NS + at * STANDS_NS, MID, BTC_2 if at < 3 else richer, Decimal(1), Decimal(0))
        assert one.seen.loss == 0
    assert one.account is not None
    assert one.account.start == MID + 5_000


def test_day_begins_anew_and_the_peak_stays() -> None:
    """A loss of 400 on each of five days is no daily loss of 500, but a drawdown of 2,000."""
    one = Looked(LIMITS._replace(widens=Decimal(2)))
    quote = 10_000
    one.at(quote)
    for _ in range(4):
        quote -= 400
        assert one.at(quote) == Stage.QUOTES
        one.now_ns += DAY_NS
        one.at(quote)
        assert one.escalation.seen.loss == 0
    assert one.escalation.seen.drawdown == 1_600
    assert one.at(quote - 400) == Stage.CANCELS_ALL


def test_clock_that_is_set_back_over_midnight_begins_no_day() -> None:
    """A machine that was started again with a wrong clock had its limit of the day's loss anew."""
    one = Looked(now_ns=DAY_NS + 1)
    one.at(10_000)
    one.at(9_400)
    one.now_ns = DAY_NS - NOON_NS
    one.at(9_100)
    assert one.escalation.seen.loss == 900
    one.now_ns = 2 * DAY_NS
    one.at(9_100)
    assert one.escalation.seen.loss == 0


def test_day_that_begins_with_another_neutral_quantity_keeps_the_distance_to_the_peak() -> None:
    """A maker that is started anew, and takes what it holds for no position."""
    one = Looked()
    one.at(20_000)
    one.at(9_800, base="1.1")
    assert one.escalation.seen.drawdown == 200
    one.now_ns += DAY_NS
    one.at(9_800, base="1.1", neutral="1.1")
    assert one.escalation.seen.loss == 0
    assert one.escalation.seen.drawdown == 200


def test_loss_survives_a_restart_with_another_neutral_quantity() -> None:
    """Each restart was a day that began anew: a bot that fell again and again lost its limit each time."""
    one = Looked()
    one.at(20_000)
    one.at(9_400, base="1.1")
    successor = Looked(now_ns=one.now_ns)
    successor.escalation.account = one.escalation.account
    successor.at(9_400, base="1.1", neutral="1.1")
    assert successor.escalation.seen.loss == 600
    assert successor.escalation.stage == Stage.WIDENS


def test_resume_begins_with_what_there_is() -> None:
    """The loss that a person has seen is not held against the maker again; the next one is."""
    one = Looked()
    one.at(10_000)
    assert one.at(9_000) == Stage.FLATTENS
    one.escalation.resume()
    assert one.at(9_000) == Stage.QUOTES
    assert one.at(8_501) == Stage.QUOTES
    assert one.at(8_500) == Stage.WIDENS


@given(amounts=st.lists(st.integers(5_000, 15_000), min_size=1, max_size=30), days=st.booleans())
def test_stage_never_goes_back_by_itself_and_is_as_far_as_its_numbers_say(amounts: list[int], days: bool) -> None:
    """Whatever is earned or lost, over midnight too."""
    one, before = Looked(), Stage.QUOTES
    one.at(10_000)
    for quote in amounts:
        one.now_ns += DAY_NS // 3 if days else NS_PER_SECOND
        stage = one.at(quote)
        loss, drawdown, _ = one.escalation.seen
        least = (
            Stage.DISCONNECTS if loss >= 1_500
            else Stage.FLATTENS if loss >= 1_000
            else Stage.CANCELS_ALL if drawdown >= 2_000
            else Stage.WIDENS if loss >= 500 or drawdown >= 1_000
            else Stage.QUOTES
        )  # fmt: skip
        assert stage == max(before, least)
        before = stage


def test_quotes_are_widened_from_the_mid_outwards() -> None:
    """To whole ticks; what would have no price is left out."""
    bid, ask = Quote(Side.BUY, 98, 1), Quote(Side.SELL, 103, 1)
    assert widened([bid, ask], 201, Decimal("1.5")) == [Quote(Side.BUY, 96, 1), Quote(Side.SELL, 105, 1)]
    assert widened([bid, replace(bid, price_ticks=40)], 200, Decimal(2)) == [Quote(Side.BUY, 96, 1)]


@pytest.mark.parametrize("seed", some([7, 8, 9], 1))
def test_simulated_desk_that_loses_too_much_has_no_order_any_more_and_ends_flat(tmp_path: Path, seed: int) -> None:
    """Quotes that are run over in a busy market of informed takers; the limit is a few USDT."""
    losing = {
        "flow.preset": "busy", "flow.toxicity": "1", "flow.seed": seed, "maker.half_spread": "0.00002",
        "maker.limits.daily_loss": "10", "maker.limits.drawdown": "1000",
    }  # fmt: skip
    desk = SimulatedDesk(load_settings({"run_dir": tmp_path, **losing}).settings, START_NS, tmp_path / "reports")
    stages = []
    for second in range(1, 301):
        desk.run(START_NS + second * NS_PER_SECOND)
        stages.append(desk.trader.guard.escalation.stage)
        if stages[-1] >= Stage.FLATTENS:
            break
    assert stages == sorted(stages)
    assert stages[-1] >= Stage.FLATTENS
    desk.run(desk.heap.now_ns + 2 * NS_PER_SECOND)
    assert desk.account.open_orders() == []
    quoted = desk.told.counts["Quoted"]
    desk.run(desk.heap.now_ns + 60 * NS_PER_SECOND)
    assert desk.account.open_orders() == []
    mid, held = desk.account.mid("BTCUSDT"), desk.account.account().balances["BTC"].total - 1
    assert mid is not None
    assert desk.trader.guard.escalation.stage >= Stage.FLATTENS
    assert abs(held * mid) < 6, "it is flat but for what is too little for an order"
    assert desk.told.counts["Flattened"] == 1
    assert desk.told.counts["Quoted"] <= quoted + 10, "a slice each few seconds"
    assert desk.trader.guard.escalation.seen.loss < 30
