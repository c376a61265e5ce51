"""A maker at an exchange that fails in every way that it can, by its fault switches, or that is killed itself.

Never two orders of a side, none that is nobody's, each fill once, no limit near; both sides quoted soon after, with the
position that the exchange has; nothing left at a stop. A minute a trouble; SWITCHES=all is the long form, of many seeds
and half an hour each.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import pytest

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from tests.simulation.switched import BACK_IN_TIME_MIN, LOOK_NS, OUT_NS_MAX, Figures, SwitchedDesk
from trading import news

IS_LONG: Final = os.environ.get("SWITCHES") == "all"
SEEDS: Final = range(20 if IS_LONG else 1)
OPENED_NS: Final = 3 * NS_PER_SECOND  # after the start: its market has opened
LENGTH_NS: Final = (1_800 if IS_LONG else 1) * NS_PER_SECOND  # in which troubles begin, one after the other
FAULT_NS: Final = 20 * NS_PER_SECOND, 40 * NS_PER_SECOND
KILLS: Final = 60 if IS_LONG else 6
KILL_NS_MAX: Final = 4 * NS_PER_SECOND  # from one kill to the next order, and to the next kill
CALM_NS_MAX: Final = 6 * NS_PER_SECOND  # before a fault
QUIET_MINUTES: Final = 30 if IS_LONG else 5
QUIET_COMMANDS_MAX: Final = 4  # a minute and side

Switch = Mapping[str, Any]


class Trouble(NamedTuple):
    """What goes wrong.

    Attributes:
        stands: switches that are set all the time.
        happens: what happens now and then meanwhile.
        is_total: whether no call comes through, so that nothing can be taken away before it is over.
    """

    stands: Sequence[Switch] = ()
    happens: Callable[[SwitchedDesk, Random], object] | None = None
    is_total: bool = False


def lose_replies(desk: SwitchedDesk, dice: Random) -> None:
    """Lose the replies to the next calls, which are carried out."""
    desk.set(kind="drop_reply", count=dice.randint(1, 3), **dice.choice(OF_CALLS))


def fail(desk: SwitchedDesk, dice: Random) -> None:
    """Answer the next calls with a 5xx, whether they are carried out or not."""
    said = {"status": dice.choice((500, 502, 503, 504)), "is_html": dice.random() < 0.5}
    count, is_executed = dice.randint(1, 5), dice.random() < 0.5
    desk.set(kind="server_error", count=count, is_executed=is_executed, **said, **dice.choice(OF_CALLS))


def be_busy(desk: SwitchedDesk, dice: Random) -> None:
    """Ask to be left alone, or refuse new orders as too many."""
    if dice.random() < 0.3:
        desk.set(kind="reject", code=-1015, method="POST", count=dice.randint(1, 3))
    else:
        desk.set(kind="rate_limit", status=dice.choice((429, 418)), retry_after_s=dice.randint(1, 4))


def be_slow(desk: SwitchedDesk, dice: Random) -> None:
    """Let the next calls or their replies take long: less than they may, and more than anybody waits."""
    ms, where = dice.choice((300, 2_000, 4_500, 5_500, 8_000)), dice.choice(("before", "after"))
    desk.set(kind="delay", ms=ms, where=where, count=dice.randint(1, 4), **dice.choice(OF_CALLS))


def step_the_clock(desk: SwitchedDesk, dice: Random) -> None:
    """Set the exchange's clock wrong, or less wrong than it was."""
    desk.clear_all()
    desk.set(kind="wrong_clock", offset_ms=dice.choice((-1, 1)) * dice.choice((900, 7_000, 3_600_000)))


OF_ACCOUNT: Final = {"streams": "account"}
OF_CALLS: Final[Sequence[Switch]] = {}, {"path": "order"}, {"method": "POST"}, {"method": "DELETE"}
LATE: Final[Switch] = {"kind": "late_visibility", "ms": 3_000}
TROUBLES: Final = {
    "lost replies": Trouble(happens=lose_replies),
    "5xx": Trouble(happens=fail),
    "outage": Trouble([{"kind": "server_error", "count": None}], is_total=True),
    "busy": Trouble(happens=be_busy),
    "slow": Trouble(happens=be_slow),
    "disconnects": Trouble(happens=lambda desk, _: desk.line.cut()),
    "clock steps": Trouble(happens=step_the_clock),
    "wipes": Trouble(happens=lambda desk, _: desk.wipe()),
    "kills": Trouble(happens=lambda desk, _: desk.kill()),
    "late visibility": Trouble([LATE]),
    "mute": Trouble([{"kind": "mute", **OF_ACCOUNT}]),
    "drop": Trouble([{"kind": "drop_event", "percent": 50, **OF_ACCOUNT}]),
    "duplicate": Trouble([{"kind": "duplicate_event", "percent": 50, **OF_ACCOUNT}]),
    "reorder": Trouble([{"kind": "reorder_events", "percent": 50, **OF_ACCOUNT}]),
    "late visibility and drop": Trouble([LATE, {"kind": "drop_event", "percent": 30, **OF_ACCOUNT}]),
    "silent cancels": Trouble(happens=lambda desk, _: desk.cancel_silently()),
    "late visibility and silent cancels": Trouble([LATE], lambda desk, _: desk.cancel_silently()),
}


@pytest.fixture(scope="module")
def figures(pytestconfig: pytest.Config) -> Iterator[Figures]:
    """Measure the campaign; of all its faults nearly each must be followed by quotes of both sides in time."""
    seen = Figures()
    yield seen
    if (capture := pytestconfig.pluginmanager.get_plugin("capturemanager")) is not None:
        with capture.global_and_fixture_disabled():
            print(f"\n{seen}")
    assert seen.in_time >= BACK_IN_TIME_MIN, f"both sides are quoted again in time: {seen}"


@pytest.mark.timeout(3_600 if IS_LONG else 600)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TROUBLES)
def test_one_intention_is_executed_once_and_no_order_is_nobodys(
    tmp_path: Path, figures: Figures, name: str, seed: int
) -> None:
    """Each fill is told once; both sides are quoted 10 s after; a stop in the midst of it leaves nothing."""
    print(f"{name}: seed {seed}")
    dice = Random(seed)
    desk = SwitchedDesk(tmp_path, seed, figures)
    desk.come_back(stay_ns=OPENED_NS)
    began_ns, rounds = desk.heap.now_ns, 0
    while desk.heap.now_ns < began_ns + LENGTH_NS:
        rounds += 1
        desk.watch(dice.randrange(CALM_NS_MAX))
        _suffer(desk, TROUBLES[name], dice)
        desk.clear_all()
        desk.come_back()
    assert desk.place_count > 2 * rounds, "it has moved"
    assert desk.filled, "it was filled"
    _begin(desk, TROUBLES[name], dice)
    desk.watch(dice.randrange(CALM_NS_MAX))
    if TROUBLES[name].is_total:
        desk.heap.after(dice.randrange(OUT_NS_MAX // 2), desk.clear_all)
    desk.leave()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("lag_ms", [0, 3_000])
@pytest.mark.parametrize("seed", range(20 if IS_LONG else 2))
def test_a_maker_that_is_killed_leaves_nothing_that_its_successor_does_not_know(
    tmp_path: Path, figures: Figures, seed: int, lag_ms: int
) -> None:
    """An order that had been taken a moment before was in no list yet: it had a second one beside it, or stayed."""
    print(f"a lag of {lag_ms} ms: seed {seed}")
    dice = Random(seed)
    desk = SwitchedDesk(tmp_path, seed, figures)
    desk.come_back(stay_ns=OPENED_NS)
    if lag_ms:
        desk.set(kind="late_visibility", ms=lag_ms)
    for _ in range(KILLS):
        place_count, until_ns = desk.place_count, desk.heap.now_ns + KILL_NS_MAX
        while desk.place_count == place_count and desk.heap.now_ns < until_ns:
            desk.watch(LOOK_NS)
        desk.watch(dice.randrange(NS_PER_SECOND // 2))
        desk.kill()
        desk.watch(dice.randrange(KILL_NS_MAX))
    desk.clear_all()
    desk.come_back()
    assert desk.filled, "it was filled"
    desk.set(kind="late_visibility", ms=3_000)
    while desk.place_count == place_count:
        desk.watch(LOOK_NS)
    desk.kill()
    desk.leave()


@pytest.mark.parametrize("seed", SEEDS)
def test_in_a_quiet_market_few_commands_are_sent(tmp_path: Path, figures: Figures, seed: int) -> None:
    """A desk of the default settings whose market is calm moves its quotes when that must be, and no more often."""
    print(f"seed {seed}")
    desk = SwitchedDesk(tmp_path, seed, figures, {"flow.preset": "calm"})
    desk.come_back()
    desk.calls.clear()
    desk.watch(QUIET_MINUTES * 60 * NS_PER_SECOND)
    sent = sum(count for (method, _), count in desk.calls.items() if method != "GET")
    figures.quiet_max = max(figures.quiet_max, sent / (QUIET_MINUTES * len(Side)))
    assert 0 < sent <= QUIET_COMMANDS_MAX * QUIET_MINUTES * len(Side)
    assert desk.is_two_sided()


def _begin(desk: SwitchedDesk, trouble: Trouble, dice: Random) -> None:
    for switch in trouble.stands:
        desk.set(**switch, **({"seed": dice.randrange(1_000)} if "percent" in switch else {}))
    if trouble.happens is not None:
        trouble.happens(desk, dice)


def _suffer(desk: SwitchedDesk, trouble: Trouble, dice: Random) -> None:
    _begin(desk, trouble, dice)
    until_ns = desk.heap.now_ns + dice.randint(*FAULT_NS)
    while desk.heap.now_ns < until_ns:
        desk.watch(dice.randrange(8 * NS_PER_SECOND) + NS_PER_MS)
        if trouble.happens is not None:
            trouble.happens(desk, dice)


def test_a_mute_account_is_found_dead_within_ten_seconds_and_connected_anew(tmp_path: Path, figures: Figures) -> None:
    """Its fills came by lists alone, for as long as the connection stood; each is told once all the same."""
    desk = SwitchedDesk(tmp_path, 1, figures)
    desk.come_back(stay_ns=OPENED_NS)
    began_ns = desk.heap.now_ns
    said: list[tuple[int, news.News]] = []
    hear = desk.line._on_news

    def noted(told: Sequence[news.News]) -> None:
        said.extend((desk.heap.now_ns, each) for each in told)
        hear(told)

    desk.line._on_news = noted
    desk.set(kind="mute", **OF_ACCOUNT)
    desk.watch(30 * NS_PER_SECOND)
    dead = [at_ns - began_ns for at_ns, each in said if isinstance(each, news.Silent)]
    assert dead
    assert dead[0] <= 10 * NS_PER_SECOND
    assert any(isinstance(each, news.Following) for _, each in said)
    desk.clear_all()
    desk.come_back()
    desk.leave()
