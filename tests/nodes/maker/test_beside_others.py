"""A maker that is a thread beside other nodes: where it can do nothing it waits, and they go on."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from desk.risk_file import resume, withdrawn, write_risk
from desk.run_dir import StayDownError
from desk.settings import load_settings
from market.mendable import MendableError
from nodes.maker import node as maker_node
from nodes.node import Node
from tests.nodes.maker.makers import AWAY, Told, lines
from trading.escalation import Account, Stage
from venues.venue import VenueBusyError, VenueKeysError

NONE = Decimal(0)
DISCONNECTED = Account(0, NONE, NONE, NONE, Stage.DISCONNECTS, "1.00 USDT lost today", 7)
STAYS_DOWN = StayDownError("disconnects: 1.00 USDT lost today")


@pytest.fixture
def beside(run_dir: Path) -> Iterator[Node]:
    """The node of a maker that shares its process with the flow."""
    settings = load_settings({"run_dir": run_dir}).settings
    with closing(Node(settings.plan.named(["maker"])[0], settings, ["flow", "maker"])) as node:
        yield node


def _lives(monkeypatch: pytest.MonkeyPatch, *ends: MendableError | None) -> list[MendableError | None]:
    """Let each life of the maker end so; return those that are to come."""
    left = [*ends]

    def run(_: Node) -> None:
        if (end := left.pop(0)) is not None:
            raise end

    monkeypatch.setattr(maker_node, "_run", run)
    monkeypatch.setattr(maker_node, "AWAY_S", 0.001)
    return left


def test_it_waits_for_a_venue_that_does_not_answer(beside: Node, monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    """A venue that was away as the desk started took the flow with it, and then the desk; it is told once."""
    left = _lives(monkeypatch, AWAY, AWAY, VenueBusyError("too much", 0.01), None)
    maker_node.run(beside)
    assert left == []
    assert [line["why"] for line in lines(told, "waits")] == ["out of reach", "too much"]


def test_it_waits_for_a_person_who_resumes(
    beside: Node, run_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    """One that had disconnected kept the desk from starting."""
    write_risk(run_dir, "scripted BTCUSDT", DISCONNECTED, is_synced=False)
    _lives(monkeypatch, STAYS_DOWN, None)
    looks: list[None] = []

    def look(folder: Path) -> object:
        looks.append(None)
        if (found := withdrawn(folder)) is not None and len(looks) == 3:
            resume(folder, found.trip)
        return found

    monkeypatch.setattr(maker_node, "withdrawn", look)
    maker_node.run(beside)
    assert len(looks) == 4
    (line,) = lines(told, "waits")
    assert line["why"] == f"{STAYS_DOWN}; go on with: python cli.py resume --run-dir {run_dir}"


def test_it_ends_while_it_waits_if_it_is_told_to(beside: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk stops whatever its maker waits for."""
    left = _lives(monkeypatch, STAYS_DOWN, None)

    def look(_: Path) -> str:
        beside.stop()
        return "it is withdrawn"

    monkeypatch.setattr(maker_node, "withdrawn", look)
    maker_node.run(beside)
    assert left == [None], "it does not begin another life"


@pytest.mark.parametrize("end", [AWAY, STAYS_DOWN])
def test_alone_it_ends(run_dir: Path, monkeypatch: pytest.MonkeyPatch, end: MendableError) -> None:
    """Its supervisor tells a person, and tries again or not."""
    settings = load_settings({"run_dir": run_dir}).settings
    _lives(monkeypatch, end)
    with closing(Node(settings.plan.named(["maker"])[0], settings)) as node, pytest.raises(type(end)):
        maker_node.run(node)


def test_what_waiting_does_not_mend_ends_it_beside_others_too(beside: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that the venue does not accept: a person has to know at once."""
    _lives(monkeypatch, VenueKeysError("no such key"))
    with pytest.raises(VenueKeysError):
        maker_node.run(beside)
