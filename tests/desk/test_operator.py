"""What `halt` and `resume` take for a confirmation, of each answer that an engine and the maker can give."""

from pathlib import Path
from typing import Any

import pytest

from bus.engine_client import EngineClient, LinkEnd
from bus.topology import Source
from desk import client, operator
from desk.client import DeskError, SilentDeskError
from desk.halted_file import HaltedFile
from desk.operator import Outcome, set_halted
from desk.settings import Settings, load_settings
from market.codes import RejectReason
from market.commands import HaltSymbol, MassCancel
from market.events import Canceled, Event, Halted, Rejected
from tests.bus.cable import Cable

BTC = 0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A desk that knows the usual symbols, with one engine."""
    return load_settings({"run_dir": tmp_path}).settings


@pytest.fixture
def asked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What engine and maker say; `events` None: the engine is silent; `row` None: the desk has no maker."""
    said: dict[str, Any] = {"events": [Halted(1, 1, BTC, 1)], "row": None, "lone": (), "pid": 1}

    def ask(client: EngineClient, **_: bool) -> dict[str, operator._Answer]:
        client.close()
        is_done = said["events"] is not None
        return {link.engine: operator._Answer(list(said["events"] or ()), is_done) for link in client}

    def status(run_dir: Path) -> dict[str, Any]:
        if said["row"] is DeskError:
            raise DeskError("it does not answer")
        return {"nodes": [] if said["row"] is None else [{"node": "maker", "why": "", **said["row"]}]}

    monkeypatch.setattr(operator, "require_node", lambda run_dir: None)
    monkeypatch.setattr(operator, "_ask", ask)
    monkeypatch.setattr(operator, "desk_pid", lambda run_dir: said["pid"])
    monkeypatch.setattr(client, "desk_status", status)
    monkeypatch.setattr(operator, "lone_nodes", lambda run_dir: said["lone"])
    monkeypatch.setattr(client, "MAKER_S_MAX", 0.0)
    return said


def _halt(settings: Settings, *, is_halted: bool = True, is_cancelling: bool = False) -> Outcome:
    return set_halted(settings, "BTCUSDT", is_halted=is_halted, is_cancelling=is_cancelling)


def _rejected() -> Event:
    return Rejected(1, 1, BTC, 0, 1, 1, RejectReason.MALFORMED)


@pytest.mark.parametrize(
    ("events", "missing"),
    [
        (None, ["BTCUSDT is not halted: engine does not answer", "the halt is kept in"]),
        ([], ["BTCUSDT is not halted: engine refused it"]),
        ([Halted(1, 1, BTC, 0)], ["BTCUSDT is not halted: engine refused it"]),
        ([Halted(1, 1, BTC + 1, 1)], ["BTCUSDT is not halted: engine refused it"]),
        ([Halted(1, 1, BTC, 1), _rejected()], ["BTCUSDT is not halted: engine refused [Rejected"]),
    ],
    ids=["silence", "no word", "the opposite", "another symbol", "a refusal"],
)
def test_only_the_engine_s_word_on_this_symbol_confirms_a_halt(
    settings: Settings, asked: dict[str, Any], events: list[Event] | None, missing: list[str]
) -> None:
    """Whatever else it says is told as not done; the file has the halt in any case."""
    asked["events"] = events
    outcome = _halt(settings)
    assert outcome.confirmed == []
    assert len(outcome.missing) == len(missing)
    assert all(line.startswith(start) for line, start in zip(outcome.missing, missing, strict=True))
    assert HaltedFile(settings.run_dir, ()).read() == {"BTCUSDT"}


def test_counts_what_this_symbol_s_engine_has_cancelled(settings: Settings, asked: dict[str, Any]) -> None:
    """And not the orders of another."""
    canceled = [Canceled(number, 1, symbol_id, number, 1, 0, 1, 1, 0, 0) for number, symbol_id in ((2, BTC), (3, 1))]
    asked["events"] = [Halted(1, 1, BTC, 1), *canceled]
    assert _halt(settings, is_cancelling=True).confirmed == [
        "BTCUSDT halted: no new orders, cancels go through; 1 open order cancelled"
    ]


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        ({"state": "ready", "figures": {}}, "the maker (ready) has not confirmed the halt"),
        ({"state": "ready", "figures": {"halted": True, "halt_version": "1.2.3"}}, "the maker (ready) has not"),
        ({"state": "restarting", "figures": {}}, "the maker (restarting) has not confirmed the halt"),
        ({"state": "stopped", "why": "own orders may be left", "figures": {}}, "the maker (stopped) has not"),
        ({"state": "failed", "figures": {}}, "the maker (failed) has not"),
        (DeskError, "the maker could not be asked"),
    ],
    ids=["silence", "a word on an earlier halt", "dead", "stopped and left orders", "failed", "desk is silent"],
)
def test_only_the_maker_s_word_on_this_halt_confirms_that_it_has_no_quote(
    settings: Settings, asked: dict[str, Any], row: Any, missing: str
) -> None:
    """Its quotes may be open otherwise, and that is said."""
    asked["row"] = row
    outcome = _halt(settings)
    assert [line.split(":")[0] for line in outcome.confirmed] == ["BTCUSDT halted"]
    assert [line.startswith(missing) for line in outcome.missing] == [True], outcome.missing


@pytest.mark.parametrize(("state", "is_confirmed"), [("ready", True), ("restarting", False), ("silent", False)])
def test_a_maker_that_lives_and_has_read_this_halt_confirms_it(
    settings: Settings, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, state: str, is_confirmed: bool
) -> None:
    """What one that is dead said last does not count."""

    def status(run_dir: Path) -> dict[str, Any]:
        kept = HaltedFile(run_dir, ())
        kept.read()
        figures = {"halted": True, "halt_version": kept.version}
        return {"nodes": [{"node": "maker", "state": state, "why": "", "figures": figures}]}

    monkeypatch.setattr(client, "desk_status", status)
    outcome = _halt(settings)
    assert ("the maker has no quote at paper" in outcome.confirmed) is is_confirmed
    assert bool(outcome.missing) is not is_confirmed


@pytest.mark.parametrize(
    ("symbols", "is_other_halted", "is_confirmed"),
    [(["ETHUSDT"], True, True), (["ETHUSDT"], False, True), (["BTCUSDT", "ETHUSDT"], False, False)],
)
def test_another_command_at_the_same_time_is_told_from_a_silent_maker(
    settings: Settings,
    asked: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    symbols: list[str],
    is_other_halted: bool,
    is_confirmed: bool,
) -> None:
    """Another pair's halt kept this one from being confirmed; of quotes after a resume it said that they would go."""
    kept = HaltedFile(settings.run_dir, ())
    others = [lambda: kept.change(symbols, is_halted=is_other_halted)]

    def status(run_dir: Path) -> dict[str, Any]:
        if others:
            others.pop()()
        figures = {"halted": "BTCUSDT" in kept.read(), "halt_version": kept.version}
        return {"nodes": [{"node": "maker", "state": "ready", "why": "", "figures": figures}]}

    monkeypatch.setattr(client, "desk_status", status)
    outcome = _halt(settings)
    assert ("the maker has no quote at paper" in outcome.confirmed) is is_confirmed
    assert outcome.missing == ([] if is_confirmed else ["another command has resumed BTCUSDT meanwhile"])


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_silent_supervisor_is_not_waited_for_before_what_can_be_done_without_it(
    settings: Settings, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *, comes_back: bool
) -> None:
    """`halt` asked it for 8 s first, while the maker's orders stood; its word counts all the same if it comes."""
    done: list[list[str]] = []
    silences: list[int] = []

    def status(run_dir: Path) -> dict[str, Any]:
        if done and comes_back:
            kept = HaltedFile(run_dir, ())
            kept.read()
            figures = {"halted": True, "halt_version": kept.version}
            return {"nodes": [{"node": "maker", "state": "ready", "why": "", "figures": figures}]}
        silences.append(len(done))
        raise SilentDeskError(run_dir, 7)

    monkeypatch.setattr(client, "desk_status", status)
    monkeypatch.setattr(client, "MAKER_S_MAX", 3_600.0)
    outcome = set_halted(
        settings, "BTCUSDT", is_halted=True, if_silent=lambda so_far: done.append(list(so_far.confirmed))
    )
    assert done == [["BTCUSDT halted: no new orders, cancels go through"]], "once, behind what is known"
    assert silences == ([0] if comes_back else [0, 1])
    assert ("the maker has no quote at paper" in outcome.confirmed) is comes_back
    assert [line.partition("(pid")[2][:3] for line in outcome.missing] == ([] if comes_back else [" 7)"])


def test_a_silent_supervisor_is_asked_three_times(
    settings: Settings, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine may owe an answer; one in between counts anew, and a maker that is silent is waited for."""
    said: list[bool] = [False, False, True, False, False, False, True]

    def status(run_dir: Path) -> dict[str, Any]:
        if not said.pop(0):
            raise SilentDeskError(run_dir, 7)
        return {"nodes": [{"node": "maker", "state": "ready", "why": "", "figures": {}}]}

    monkeypatch.setattr(client, "desk_status", status)
    monkeypatch.setattr(client, "MAKER_S_MAX", 3_600.0)
    with pytest.raises(SilentDeskError):
        client.awaited_maker(settings.run_dir, lambda _: False)
    assert said == [True]


@pytest.mark.parametrize("row", [None, {"state": "stopped", "figures": {}}], ids=["none", "stopped"])
@pytest.mark.parametrize("pid", [1, None], ids=["desk", "no desk"])
def test_a_maker_started_by_hand_is_named(
    settings: Settings, asked: dict[str, Any], row: dict[str, Any] | None, pid: int | None
) -> None:
    """Also beside a desk without one: nobody can be asked whether its quotes are gone."""
    asked.update(row=row, pid=pid)
    assert _halt(settings).missing == []
    asked["lone"] = ("maker",)
    assert [line.split(" and ")[0] for line in _halt(settings).missing] == ["the maker runs without a supervisor"]


def test_a_resume_waits_for_the_maker_to_know(settings: Settings, asked: dict[str, Any]) -> None:
    """One that is still halted is said to be."""
    asked.update(events=[Halted(1, 1, BTC, 0)], row={"state": "ready", "figures": {"halted": True}})
    outcome = _halt(settings, is_halted=False)
    assert (outcome.confirmed, outcome.missing) == (["BTCUSDT resumed"], ["the maker (ready) is still halted"])


@pytest.mark.parametrize("is_halted", [True, False])
def test_a_full_disk_keeps_no_engine_from_a_halt_and_every_engine_from_a_resume(
    settings: Settings, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, is_halted: bool
) -> None:
    """The file stays as it was, and so does who has it: a resume was confirmed of an engine whose maker stayed away."""

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("desk.halted_file.write_whole", full)
    asked["events"] = [Halted(1, 1, BTC, int(is_halted))]
    outcome = _halt(settings, is_halted=is_halted)
    assert [line.split(":")[0] for line in outcome.confirmed] == (["BTCUSDT halted"] if is_halted else [])
    assert "No space left on device" in outcome.missing[0]


def test_a_silent_engine_keeps_no_other_from_hearing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are told at once; of one that has refused us it is said why it is silent."""
    silent, heard = Cable(), Cable()
    silent.refused_count = 1
    monkeypatch.setattr(operator, "ANSWER_S_MAX", 0.1)
    monkeypatch.setattr(operator, "wait_any", lambda *_: heard.handle())
    client = EngineClient(
        [LinkEnd(Source.OPERATOR, "one", silent, {0}), LinkEnd(Source.OPERATOR, "two", heard, {1, 2})]
    )
    answers = operator._ask(client, is_halted=True, is_cancelling=True)
    assert (answers["one"].is_done, answers["one"].why) == (False, "; it refuses our keys")
    assert (answers["two"].is_done, answers["two"].why) == (True, "")
    told = [(type(command), command.symbol_id) for command in heard.commands]
    assert told == [(HaltSymbol, 1), (MassCancel, 1), (HaltSymbol, 2), (MassCancel, 2)]
    assert silent.is_closed
    assert heard.is_closed


def test_what_an_engine_says_of_an_earlier_halt_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It greets a second operator with what it had handled of the first; only then come this one's commands."""
    heard, turns = Cable(), iter(range(4))
    monkeypatch.setattr(operator, "ANSWER_S_MAX", 0.2)
    monkeypatch.setattr(operator, "wait_any", lambda *_: heard.handle() if next(turns, 4) < 4 else None)
    answers = []
    for _ in range(2):
        client = EngineClient([LinkEnd(Source.OPERATOR, "one", heard, {0})])
        answers.append(operator._ask(client, is_halted=True, is_cancelling=False)["one"].is_done)
    assert answers == [True, False]
    assert len(heard.commands) == 1


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_resume_names_what_was_halted_alone(
    settings: Settings, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *, is_asked: bool
) -> None:
    """By the file, or by an engine that has it from elsewhere; where the engines' desk cannot be asked, all."""
    HaltedFile(settings.run_dir, ()).change(["BTCUSDT"], is_halted=True)
    asked["events"] = [Halted(1, 1, symbol_id, 0) for symbol_id in range(3)]

    def status(_: Path) -> dict[str, Any]:
        if not is_asked:
            raise DeskError("it does not answer")
        return {"nodes": [{"node": "engine", "kind": "engine", "figures": {"halted": ["ETHUSDT"]}}]}

    monkeypatch.setattr(operator, "desk_status", status)
    outcome = set_halted(settings, None, is_halted=False, awaits_maker=False)
    named = (
        ["BTCUSDT resumed", "ETHUSDT resumed"]
        if is_asked
        else [f"{each.symbol} resumed" for each in settings.instruments]
    )
    assert (sorted(outcome.confirmed), outcome.missing) == (sorted(named), [])
