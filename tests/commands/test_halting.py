"""`halt` where no desk runs, at a venue that does not answer; and what is told of a desk that was killed."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from commands.actions import halting
from desk.client import DESK_LOCK, DeskError, NoDeskError, lone_nodes
from desk.desk_file import DESK_FILE
from desk.halted_file import HALTED_FILE, HaltedFile
from desk.operator import Outcome
from desk.risk_file import write_risk
from desk.run_dir import MAKER_OUT, WATCHDOG, LockFile
from desk.settings import load_settings
from market.codes import Side
from nodes.maker.ids import PREFIX_FILE, forget_out, note_out
from tests.nodes.maker.makers import AWAY
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.escalation import Account, Stage

REMOTE = {"venue.name": "binance-testnet", "venue.url": "http://127.0.0.1:9"}


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> ScriptedVenue:
    """The venue of the desk that was killed; nobody waits long for it."""
    one = ScriptedVenue()
    one.account_name = "scripted"  # type: ignore[attr-defined]
    monkeypatch.setattr(halting, "quick_venue", lambda _: one)
    monkeypatch.setattr(halting, "GIVE_UP_S", 0.0)
    monkeypatch.setattr(halting, "_wait", lambda _: None)
    return one


def test_halt_confirms_nothing_that_the_venue_has_not_said(tmp_path: Path, venue: ScriptedVenue) -> None:
    """It does not answer: the halt is kept, and that orders may be open is an error."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    venue.fates["all_open_orders"] = [AWAY] * 1_000
    told: list[str] = []
    settings = load_settings({"run_dir": tmp_path, **REMOTE}).settings
    with pytest.raises(DeskError, match=r"orders of this desk's maker \(tb-0a1b2c-...\) may be open at"):
        halting.halt(settings, None, told.append, is_cancelling=False)
    assert [line.split(":")[0] for line in told] == [f"no desk runs in {tmp_path}"]
    assert "BTCUSDT" in json.loads((tmp_path / HALTED_FILE).read_text())


def test_halt_tells_all_that_it_could_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys and on a disk that takes nothing: that the keys are missing hid that nothing is halted."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    (tmp_path / HALTED_FILE).mkdir()
    for name in ("API_KEY", "SECRET"):
        monkeypatch.delenv(f"TICKBUS_VENUE__{name}", raising=False)
    settings = load_settings({"run_dir": tmp_path, **REMOTE}).settings
    with pytest.raises(DeskError) as failed:
        halting.halt(settings, None, pytest.fail, is_cancelling=True)
    unhalted, left, others = str(failed.value).splitlines()
    assert unhalted.startswith("what starts there is not halted: ")
    assert left.startswith("orders of this desk's maker (tb-0a1b2c-...) may be open at binance-testnet: ")
    assert others.startswith("open orders of others are not cancelled: ")


@pytest.mark.parametrize("settings", [{}, REMOTE], ids=["paper exchange of its own", "elsewhere"])
def test_halt_without_anybody_to_ask_says_that_no_desk_runs(tmp_path: Path, settings: dict[str, str]) -> None:
    """No desk has ever run there: it keeps nothing."""
    with pytest.raises(NoDeskError):
        halting.halt(load_settings({"run_dir": tmp_path, **settings}).settings, None, print, is_cancelling=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("left", "symbol", "told"),
    [
        (None, None, "orders of its maker may be open at paper, which is down with it: its next start cancels them"),
        (None, "ETHUSDT", "orders of its maker may be open at paper, which is down with it: its next start takes"),
        ([], None, None),
    ],
    ids=["killed", "killed, another pair", "stopped in order"],
)
def test_halt_is_kept_for_the_next_start_of_a_desk_with_its_own_exchange(
    tmp_path: Path, left: list[str] | None, symbol: str | None, told: str | None
) -> None:
    """It kept nothing and said only that no desk runs: what was killed with everything quoted again at the start."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    _write_desk_file(tmp_path, "paper", left)
    said: list[str] = []
    settings = load_settings({"run_dir": tmp_path}).settings
    halting.halt(settings, symbol, said.append, is_cancelling=False)
    halted = [symbol] if symbol else ["BNBUSDT", "BTCUSDT", "ETHUSDT"]
    assert json.loads((tmp_path / HALTED_FILE).read_text()) == halted
    assert said[0].startswith(f"no desk runs in {tmp_path}: what starts there is halted, ")
    assert said[1:] == [] if told is None else said[1].startswith(told)


def test_halt_says_that_nothing_was_cancelled_in_a_book_that_is_down(tmp_path: Path) -> None:
    """`--cancel-all` where no desk runs: the halt is kept, and an error says what is not done."""
    _write_desk_file(tmp_path, "paper", [])
    settings = load_settings({"run_dir": tmp_path}).settings
    with pytest.raises(DeskError, match=r"not cancelled: .*; once it runs: python cli.py halt --cancel-all --run-dir"):
        halting.halt(settings, None, print, is_cancelling=True)
    assert "BTCUSDT" in json.loads((tmp_path / HALTED_FILE).read_text())


def test_resume_without_a_desk_names_what_stays_halted_of_what_was_asked(tmp_path: Path) -> None:
    """The halt of another pair was named in its place, and made of a withdrawal that was taken back an error."""
    settings = load_settings({"run_dir": tmp_path}).settings
    HaltedFile(tmp_path, ["ETHUSDT"]).change(["ETHUSDT"], is_halted=True)
    told: list[str] = []
    with pytest.raises(NoDeskError) as plain:
        halting.resume(settings, "BTCUSDT", told.append)
    assert "ETHUSDT" not in str(plain.value)
    _withdraw(tmp_path)
    halting.resume(settings, "BTCUSDT", told.append)
    assert told == ["the maker quotes again when it is started; it had withdrawn: widens: so much"]
    with pytest.raises(NoDeskError, match="; ETHUSDT: halted until it runs and is resumed"):
        halting.resume(settings, "ethusdt", told.append)
    assert json.loads((tmp_path / HALTED_FILE).read_text()) == ["ETHUSDT"]


def test_resume_of_a_withdrawal_without_a_desk_does_not_promise_quotes_of_a_halted_pair(tmp_path: Path) -> None:
    """It said that the maker quotes again when it is started, and it did not."""
    settings = load_settings({"run_dir": tmp_path}).settings
    HaltedFile(tmp_path, ["BTCUSDT"]).change(["BTCUSDT"], is_halted=True)
    _withdraw(tmp_path)
    told: list[str] = []
    with pytest.raises(NoDeskError, match="BTCUSDT: halted until it runs and is resumed"):
        halting.resume(settings, None, told.append)
    assert len(told) == 1
    assert told[0].startswith("the maker quotes again when it is started and the halt of BTCUSDT is taken back; ")


@pytest.mark.parametrize("is_away", [False, True])
def test_halt_of_a_desk_whose_engines_are_elsewhere_takes_away_what_its_maker_has_left(
    tmp_path: Path, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    """Engines that are reached over tcp are asked though no desk runs here: its orders stayed without a word."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    settings = load_settings({"run_dir": tmp_path, **REMOTE}).settings
    left = venue.place(settings.instrument, Side.BUY, 9_000_000, 1_000, "tb-0a1b2c-1")
    others = venue.place(settings.instrument, Side.BUY, 9_000_000, 1_000, "by-hand")
    silent = Outcome(missing=["BTCUSDT is not halted: engine does not answer"])
    monkeypatch.setattr(halting, "set_halted", lambda *_, **__: silent)
    monkeypatch.setattr(halting, "GIVE_UP_S", 60.0)
    if is_away:
        monkeypatch.setattr(halting, "GIVE_UP_S", 0.0)
        venue.fates["all_open_orders"] = [AWAY] * 1_000
    told: list[str] = []
    with pytest.raises(DeskError) as failed:
        halting.halt(settings, None, told.append, is_cancelling=False)
    missing = str(failed.value).splitlines()
    assert missing[0] == silent.missing[0]
    assert (len(missing) == 2) == is_away
    if not is_away:
        assert list(venue.orders) == [others.order_id]
        assert f"(order {left.order_id})" in told[0]


def test_halt_takes_away_what_a_maker_has_left_though_other_nodes_run(
    tmp_path: Path, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nodes run one at a time, and maker and watchdog were killed, all was confirmed and its orders stayed."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    settings = load_settings({"run_dir": tmp_path, **REMOTE}).settings
    venue.place(settings.instrument, Side.BUY, 9_000_000, 1_000, "tb-0a1b2c-1")
    monkeypatch.setattr(halting, "set_halted", lambda *_, **__: Outcome(confirmed=["BTCUSDT halted"]))
    monkeypatch.setattr(halting, "GIVE_UP_S", 60.0)
    locks = [LockFile(tmp_path / f"{name}.lock", name) for name in ("engine", "maker")]
    told: list[str] = []
    halting.halt(settings, None, told.append, is_cancelling=False)
    assert (told, len(venue.orders)) == (["BTCUSDT halted"], 1), "its maker runs, and pulls them itself"
    locks.pop().release()
    halting.halt(settings, None, told.append, is_cancelling=False)
    assert not venue.orders
    locks.pop().release()


def test_what_was_noted_of_a_killed_desk_is_told_and_not_what_may_be(
    tmp_path: Path, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its maker cancels all when its supervisor is gone; `status` said that orders may be open."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    _write_desk_file(tmp_path, "binance-testnet", None)
    assert halting.may_have_left(tmp_path)
    lock = LockFile(tmp_path / f"{WATCHDOG}.lock", WATCHDOG)
    assert "is cancelling the orders of its maker: ask again" in halting.left_text(tmp_path)
    lock.release()
    note_out(tmp_path)
    assert not halting.may_have_left(tmp_path)
    text = halting.left_text(tmp_path)
    assert re.fullmatch(r"; it did not stop in order, but no order of its maker is open since [-:\d ]{19} UTC", text)
    forget_out(tmp_path)
    monkeypatch.setattr(halting, "GIVE_UP_S", 60.0)
    settings = load_settings({"run_dir": tmp_path, **REMOTE}).settings
    halting.halt(settings, None, lambda _: None, is_cancelling=False)
    assert not halting.may_have_left(tmp_path), "the venue has said that it lists none"


def test_halt_that_cannot_note_that_nothing_is_left_says_all_the_same_what_it_has_done(
    tmp_path: Path, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes nothing ended it with a traceback, after the venue had said that it lists none."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    (tmp_path / MAKER_OUT).mkdir()
    monkeypatch.setattr(halting, "GIVE_UP_S", 60.0)
    told: list[str] = []
    halting.halt(load_settings({"run_dir": tmp_path, **REMOTE}).settings, None, told.append, is_cancelling=False)
    assert [line.split(":")[0] for line in told[-2:]] == [
        "binance-testnet lists no order of this desk's maker (tb-0a1b2c-...) in any pair",
        "that is not noted, and `status` will not know of it",
    ]


def test_a_halt_that_is_kept_while_no_desk_runs_is_told(tmp_path: Path) -> None:
    """It was seen in no command before the next start."""
    assert halting.down_text(tmp_path) == ""
    HaltedFile(tmp_path, ()).change(["ETHUSDT", "BTCUSDT"], is_halted=True)
    assert halting.down_text(tmp_path) == "; halted, also when it starts: BTCUSDT, ETHUSDT"
    (tmp_path / HALTED_FILE).write_text("nonsense")
    assert "BNBUSDT, BTCUSDT, ETHUSDT" in halting.down_text(tmp_path), "one that cannot be read halts all"


@pytest.mark.parametrize(
    ("symbol", "confirmed", "said"),
    [
        (None, [], ["nothing was halted"]),
        ("ETHUSDT", [], ["ETHUSDT was not halted"]),
        (None, ["BTCUSDT resumed"], ["BTCUSDT resumed"]),
    ],
)
def test_a_resume_of_what_is_not_halted_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, symbol: str | None, confirmed: list[str], said: list[str]
) -> None:
    """It told of every symbol that it was resumed."""
    monkeypatch.setattr(halting, "set_halted", lambda *_, **__: Outcome(confirmed=confirmed))
    told: list[str] = []
    halting.resume(load_settings({"run_dir": tmp_path}).settings, symbol, told.append)
    assert told == said


def _write_desk_file(run_dir: Path, venue_name: str, left: list[str] | None) -> None:
    document = {"pid": 1, "settings": {"venue.name": venue_name}} | ({} if left is None else {"left": left})
    (run_dir / DESK_FILE).write_text(json.dumps(document))


def _withdraw(run_dir: Path) -> None:
    zero = Decimal(0)
    write_risk(run_dir, "an account", Account(0, zero, zero, zero, Stage.WIDENS, "so much", 1), is_synced=False)


@pytest.mark.parametrize(
    ("left", "venue_name", "said"),
    [
        (None, "paper", "; orders of its maker may be open at paper: the start takes them over"),
        (["maker: it failed"], "binance-testnet", "halt --run-dir {run_dir} cancels them"),
        ([], "binance-testnet", ""),
    ],
    ids=["killed", "left", "stopped in order"],
)
def test_what_a_desk_may_have_left_is_told_unless_it_stopped_in_order(
    tmp_path: Path, left: list[str] | None, venue_name: str, said: str
) -> None:
    """By its last word in desk.json."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    _write_desk_file(tmp_path, venue_name, left)
    text = halting.left_text(tmp_path)
    assert text.endswith(said.format(run_dir=tmp_path)) if said else not text


def test_watchdog_is_no_node_of_a_desk(tmp_path: Path) -> None:
    """While it cleans up after a desk that was killed, commands took its settings from where they stood."""
    locks = [LockFile(tmp_path / f"{name}.lock", name) for name in (WATCHDOG, "engine")]
    assert (tmp_path / DESK_LOCK).exists() is False
    assert lone_nodes(tmp_path) == ("engine",)
    for lock in locks:
        lock.release()
