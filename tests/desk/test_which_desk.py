"""Which desk a command asks, and with which settings: the run directory says it, whoever asks from wherever."""

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bus.channel import ChannelSocket
from bus.poll_loop import PollLoop
from bus.topology import CONTROL, SUPERVISOR
from desk import desk_file
from desk.client import desk_settings
from desk.desk_file import DESK_FILE, kept_settings, write_desk_file
from desk.settings import SettingsError, load_settings
from desk.supervisor import Supervisor
from tests.desk.desk_process import TWO_ENGINES, TWO_GATEWAYS, Desk, environment, run_here, short_directory, until

SOLUSDT = '[{"symbol": "SOLUSDT", "base": "SOL", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.001"}]'


def cli(cwd: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command from a directory of its own, in an environment that knows nothing of any desk."""
    return run_here(list(arguments), cwd, environment(**settings))


@pytest.fixture(scope="module")
def spread() -> Iterator[Desk]:
    """A desk of two engines and two gateways, which only the shell that started it was told, with a fourth symbol."""
    with short_directory() as path:
        settings = {
            "TICKBUS_ENGINES": TWO_ENGINES,
            "TICKBUS_GATEWAYS": TWO_GATEWAYS,
            "TICKBUS_SYMBOLS": SOLUSDT,
            "TICKBUS_VENUE__SECRET": "hush",
        }
        (path / "tickbus.toml").write_text('[tracker]\nfolder = "days"\n')
        desk = Desk(path / "run", "--flow", "none", "--without", "maker", "--without", "tracker", **settings).start()
        yield desk
        desk.end()


def test_desk_keeps_its_settings_with_the_ports_it_took(spread: Desk) -> None:
    """For its owner alone, without secrets, with absolute paths; of every gateway too."""
    path = spread.run_dir / DESK_FILE
    assert path.stat().st_mode & 0o777 == 0o600

    def ports() -> list[str]:
        document = json.loads(path.read_text())
        assert document["pid"] == spread.process.pid if spread.process else None
        texts = document["settings"]
        gateways = [str(row["port"]) for row in json.loads(texts["gateways"])]
        return [texts["api.port"], texts["paper.port"], *gateways]

    taken = [spread.node(name)["endpoints"] for name in ("api", "paper", "gateway", "gateway2")]
    until(
        "all ports are kept",
        lambda: ports() == [next(iter(place.values())).rpartition(":")[2] for place in taken],
    )
    text = path.read_text()
    assert "hush" not in text
    assert "venue.secret" not in text
    assert json.loads(text)["settings"]["tracker.folder"] == str(spread.run_dir.parent / "days")


def test_commands_take_the_settings_from_the_desk(spread: Desk, tmp_path: Path) -> None:
    """The placement, the symbols and the ports are the running desk's; another shell's own are of no account."""
    run_dir = str(spread.run_dir)
    (tmp_path / "tickbus.toml").write_text('symbol = "ETHUSDT"\n[api]\nport = 1\n')
    for arguments in (("book", "--once"), ("orders", "--symbol", "SOLUSDT"), ("balances",), ("accounts",)):
        result = cli(tmp_path, *arguments, "--run-dir", run_dir, TICKBUS_PAPER__PORT="1")
        assert result.returncode == 0, (arguments, result.stderr)
    document = json.loads(cli(tmp_path, "book", "--json", "--run-dir", run_dir).stdout)
    assert document["symbol"] == "BTCUSDT"
    halted = cli(tmp_path, "halt", "--symbol", "ETHUSDT", "--run-dir", run_dir)
    assert halted.returncode == 0, halted.stderr
    until("its engine has halted it", lambda: spread.node("engine2")["figures"].get("halted") == ["ETHUSDT"])
    assert cli(tmp_path, "resume", "--run-dir", run_dir).returncode == 0
    until("both engines go on", lambda: not spread.node("engine2")["figures"]["halted"])


@pytest.mark.parametrize(
    ("text", "name"),
    [('[engine]\norders_max = "nonsense"\n[[engines]]\nname = "other"\n', "engine2"), ("[half", "gateway2")],
)
def test_a_restarted_node_has_the_settings_of_the_start(spread: Desk, text: str, name: str) -> None:
    """What tickbus.toml says by now is for the next start: half a desk with other settings would be none.

    With one that somebody was just writing no node came back; without desk.json each had today's settings.
    """
    path, kept = spread.run_dir.parent / "tickbus.toml", spread.run_dir / DESK_FILE
    before = path.read_text()
    path.write_text(text)
    kept.unlink()
    try:
        until("the desk has written its settings again", kept.exists)
        spread.kill(name)
    finally:
        path.write_text(before)


def test_kill_switch_needs_no_settings_file(spread: Desk, tmp_path: Path) -> None:
    """What a person breaks in tickbus.toml while the desk runs must not keep him from halting it."""
    (tmp_path / "tickbus.toml").write_text("[maker\n")
    result = cli(tmp_path, "halt", "--run-dir", str(spread.run_dir), TICKBUS_NOPE="1")
    assert result.returncode == 0, result.stderr
    assert cli(tmp_path, "resume", "--run-dir", str(spread.run_dir)).returncode == 0


def test_a_symbol_that_the_desk_does_not_know_is_named(spread: Desk, tmp_path: Path) -> None:
    """With those that it knows, and where it came from."""
    result = cli(tmp_path, "orders", "--run-dir", str(spread.run_dir), "--symbol", "DOGEUSDT")
    assert result.returncode == 1
    expected = "symbol: expected one of BTCUSDT, ETHUSDT, BNBUSDT, SOLUSDT, was 'DOGEUSDT' (from command line)"
    assert result.stderr == f"error: {expected}\n"


ASKING = [
    ("status",),
    ("down",),
    ("stop", "maker"),
    ("start", "maker"),
    ("halt",),
    ("resume",),
    ("book", "--once"),
    ("feed",),
]


@pytest.mark.parametrize("arguments", ASKING, ids=lambda words: words[0])
def test_nobody_else_is_asked_where_no_desk_runs(spread: Desk, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """One line and exit code 3, though the api and the paper exchange of another desk may listen on our ports."""
    port = spread.url("api").rpartition(":")[2]
    result = cli(tmp_path, *arguments, "--run-dir", "nowhere", TICKBUS_API__PORT=port)
    assert (result.returncode, result.stdout) == (3, ""), result.stderr
    assert result.stderr.startswith("error: no desk runs in nowhere")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "nowhere").exists()


def test_settings_stay_when_the_desk_has_stopped(directory: Path, tmp_path: Path) -> None:
    """They are kept in its run directory; a secret comes from the environment."""
    run_dir = directory / "run"
    run_dir.mkdir()
    rows = [{"name": "engine"}, {"name": "engine3", "symbols": ["BNBUSDT"]}]
    settings = load_settings({"run_dir": run_dir, "engines": rows}).settings
    write_desk_file(run_dir, settings)
    os.environ["TICKBUS_VENUE__API_KEY"] = "key"
    try:
        found = desk_settings(run_dir)
    finally:
        del os.environ["TICKBUS_VENUE__API_KEY"]
    assert found.plan.engine_of["BNBUSDT"] == "engine3"
    assert found.venue.api_key is not None


def test_paths_in_rows_are_kept_absolute(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all others: a command may stand elsewhere than the desk that it asks about."""
    monkeypatch.chdir(directory)
    row = {"name": "gateway", "port": 7, "tokens_file": "tokens"}
    write_desk_file(directory, load_settings({"run_dir": directory, "gateways": [row]}).settings)
    monkeypatch.chdir("/")
    (found,) = desk_settings(directory).gateways
    assert (found.port, found.tokens_file) == (7, directory / "tokens")


def test_no_node_starts_before_its_settings_are_kept(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk it would not know the port that another one was given, and wait for it at another."""
    (directory / "run").mkdir(mode=0o700)
    settings = load_settings({"run_dir": directory / "run"}).settings
    desk = Supervisor(settings, [settings.plan.named(["api"])], lambda _: None)
    started: list[str] = []
    monkeypatch.setattr(desk._lives, "start", lambda child: started.append(child.name))
    monkeypatch.setattr(desk._beginner, "is_ready", lambda _: True)  # else it waited for that first

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr("desk.desk_file.write_whole", no_room)
        desk._tick(PollLoop())
        assert started == []
    desk._tick(PollLoop())
    assert started == ["api"]
    desk.close()


def test_who_asks_while_the_desk_looks_at_itself_is_answered(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes what waits for it then, too: a `stop` that nobody has done would be told as a desk that is silent."""
    (directory / "run").mkdir(mode=0o700)
    settings = load_settings({"run_dir": directory / "run"}).settings
    desk = Supervisor(settings, [settings.plan.named(["api"])], lambda _: None)
    monkeypatch.setattr(desk._lives, "start", lambda _: None)
    with closing(ChannelSocket(CONTROL, directory / "run", SUPERVISOR)) as client, closing(desk):
        until("it is asked", lambda: client.send([b"status"]))
        assert desk._control.wait(10_000)
        desk.status()  # as once a second, for the alerts
        desk._tick(PollLoop())
        assert client.wait(2_000), "nobody has answered"
        assert client.receive() is not None


def test_every_setting_comes_back_as_it_was(directory: Path) -> None:
    """Also those that are lists, fractions, or not set."""
    run_dir = directory / "run"
    run_dir.mkdir()
    given = {"run_dir": run_dir, "symbols": json.loads(SOLUSDT), "symbol": "SOLUSDT", "flow.start_mid": "150.5",
             "gateway.price_band": "0.25", "bus.spin_us": 0, "paper.rate_limits": False, "tracker.interval_s": 0.5,
             "venue.url": "http://127.0.0.1:9", "tracker.folder": directory / "days"}  # fmt: skip
    settings = load_settings(given).settings
    write_desk_file(run_dir, settings)
    assert desk_settings(run_dir) == settings
    assert desk_settings(run_dir, venue="binance-testnet").venue.url is None, "it is the paper venue's"


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"pid": 1}', '{"pid": "1", "settings": {}}', '{"pid": 1, "settings": {"a": 1}}'),
        '{"pid": 1, "settings": {}, "left": [1]}',
        '{"pid": 1, "settings": {}, "left": 1}',
    ],
)
def test_a_damaged_file_is_named(directory: Path, text: str) -> None:
    """No traceback, and no settings of another desk."""
    (directory / DESK_FILE).write_text(text)
    with pytest.raises(SettingsError, match=r"desk\.json is damaged"):
        kept_settings(directory)


def test_a_file_of_another_version_needs_not_say_everything(directory: Path) -> None:
    """What it does not say is as without a file; a missing venue was a traceback of every command."""
    (directory / DESK_FILE).write_text('{"pid": 1, "settings": {}}')
    assert desk_settings(directory).venue.name == "paper"


def test_end_is_said_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards a `down` that said of a desk that it had not stopped in order, for want of room for a new file."""
    settings = load_settings({"run_dir": tmp_path}).settings
    write_desk_file(tmp_path, settings)

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(desk_file, "write_whole", no_room)
    write_desk_file(tmp_path, settings, ["maker: its orders may be left"])
    kept = kept_settings(tmp_path)
    assert kept is not None
    assert (kept.pid, kept.left) == (os.getpid(), ["maker: its orders may be left"])
