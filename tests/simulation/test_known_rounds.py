"""A maker that is traded again looks at the market when it looked: what it decided on is another book else."""

import random
from pathlib import Path

import pytest

from desk.settings import Settings, load_settings
from market.clock import NS_PER_MS, NS_PER_SECOND
from nodes.engine.command_record import CommandRecord
from reports.performance import history_of
from reports.trade_history import HistoryRow
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.journaled import Records
from simulation.known_rounds import KnownRounds
from simulation.whatif import play, same_fills
from tests.simulation.test_desk import START_NS
from trading.actions import Action, Amend, Cancel, Place, apart

APART_MS = 5_000
END_NS = START_NS + 120 * NS_PER_SECOND


@pytest.mark.parametrize(
    ("decided", "expected"),
    [
        ([], [250, 500, 750, 1_000]),
        ([300], [300, 650, 1_000]),
        ([300, 302, 306], [300, 650, 1_000]),
        ([300, 560, 2_000], [300, 560, 1_000]),
        ([100], [250, 500, 750, 1_000]),
    ],
)
def test_between_two_decisions_are_as_many_rounds_as_there_was_time_for(
    decided: list[int], expected: list[int]
) -> None:
    """Of one length each; answers that come a moment later belong to the round, and so does the first moment."""
    rounds = KnownRounds([each * NS_PER_MS for each in decided], 0, 1_000 * NS_PER_MS, 250 * NS_PER_MS)
    found = [rounds.next_ns(0)]
    while found[-1] < 1_000 * NS_PER_MS:
        found.append(rounds.next_ns(found[-1]))
    assert [each // NS_PER_MS for each in found] == expected
    assert rounds.next_ns(found[-1]) == found[-1] + 250 * NS_PER_MS


def _late_run(settings: Settings, folder: Path) -> tuple[list[HistoryRow], list[int], list[CommandRecord]]:
    """Return the fills of a maker that the machine holds up before each round, when it decided, and the journal."""
    records, kept, decided_ns = Records(), list[CommandRecord](), list[int]()
    desk = SimulatedDesk(settings, START_NS, folder, keep=lambda *sent: kept.extend(records.of(*sent)))
    dice, act = random.Random(1), desk.line.act

    def note(actions: list[Action]) -> None:
        if any(isinstance(each, Place | Cancel | Amend) for each in apart(actions)):
            decided_ns.append(desk.heap.now_ns // NS_PER_MS * NS_PER_MS)
        act(actions)

    desk.line.act = note  # type: ignore[assignment, method-assign]
    desk.trader.next_round_ns = lambda now_ns: now_ns + (250 + dice.randrange(1, 20)) * NS_PER_MS
    desk.run(END_NS)
    document = desk.folder.read(desk.close_books())
    return history_of(document), decided_ns, kept


def test_fills_of_a_late_maker_are_the_same_at_its_own_moments_and_not_at_others(tmp_path: Path) -> None:
    """Guards `whatif` of a lived day: of quotes that follow a moving mid half were a tick elsewhere."""
    settings = load_settings({"run_dir": tmp_path, "maker.half_spread": "0.0005", "flow.opening_s": 2}).settings
    lived, decided_ns, kept = _late_run(settings, tmp_path / "lived")
    shares = []
    for name, known in (("alone", []), ("known", decided_ns)):
        (tmp_path / name).mkdir()
        again = play(
            settings,
            START_NS,
            [END_NS],
            Delays(),
            kept,
            tmp_path / name,
            lambda desk, until_ns: desk.run(until_ns),
            decided_ns=known,
        )
        share = same_fills(lived, again.rows, APART_MS)
        assert share is not None
        shares.append(share)
    alone, known_share = shares
    assert len(lived) > 10
    assert known_share > 0.9, (alone, known_share)
    assert alone < known_share - 0.1
