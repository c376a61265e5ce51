"""An engine's counts are those of what its sources were told, and not of what it replays."""

from collections import Counter
from contextlib import closing
from pathlib import Path

from market.codes import RejectReason
from market.events import Accepted, Executed, Rejected
from tests.nodes.engine.linked_core import SOURCES, Dice, LinkedCore


def test_counts_what_sources_were_told_and_forgets_it_with_the_life(tmp_path: Path) -> None:
    """Orders of others too, which are refused before they enter the ring of commands; by reason."""
    linked = LinkedCore(tmp_path / "journal")
    dice = Dice(11)
    for _ in range(150):
        source = dice.random.choice(SOURCES)
        commands = [dice.command(source) for _ in range(dice.random.randrange(1, 40))]
        linked.ends[source].send([*commands, dice.command(dice.random.choice(SOURCES))])
        linked.settle()
    heard = [event for events in linked.heard.values() for event in events]
    figures = linked.core.counts.figures()
    told = Counter(type(event) for event in heard)
    assert figures["events"]["ACCEPTED"] == told[Accepted]
    assert figures["events"]["EXECUTED"] == len({event.trade_id for event in heard if isinstance(event, Executed)})
    assert figures["events"]["REJECTED"] == told[Rejected] > 100
    reasons = Counter(RejectReason(event.reason).name for event in heard if isinstance(event, Rejected))
    assert figures["rejects"] == dict(reasons)
    assert {"WRONG_OWNER", "UNKNOWN_ORDER"} <= reasons.keys(), "of both ways"
    linked.kill()
    linked.start()
    with closing(linked.journal):
        figures = linked.core.counts.figures()
        assert (sum(figures["events"].values()), figures["rejects"]) == (0, {})
