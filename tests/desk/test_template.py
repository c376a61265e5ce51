"""Nodes that begin as copies of a template: as good as those that begin plainly, and no worse off when it is gone."""

import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgpack
import numpy.random
import pytest

from desk import template as module
from desk.kinds import KIND_NAMES
from desk.template import Beginner, Process
from nodes import template as server
from tests.desk.desk_process import Desk, environment, node_processes, short_directory, until

NOTHING = Path(os.devnull)
SECRET = "a-secret-of-the-venue"
SAME_LOOKS = 5


@pytest.fixture(scope="module")
def beginner() -> Iterator[Beginner]:
    """One with a template of engines, in an environment with a secret."""
    with short_directory() as path:
        variables = environment(TICKBUS_RUN_DIR=str(path / "run"), TICKBUS_VENUE__SECRET=SECRET)
        one = Beginner(variables, ["engine"], 60, _fail)
        until("the template has imported all", partial(_is_loaded, one))
        yield one
        one.end()


def _fail(line: str) -> None:
    raise AssertionError(line)


def _looked(beginner: Beginner) -> bool:
    beginner.look()
    return True


def _is_loaded(beginner: Beginner) -> bool:
    return _looked(beginner) and beginner.is_ready(["engine"])


def _is_loading(beginner: Beginner) -> bool:
    assert beginner._template is not None
    return beginner._template.is_loading


def _template(beginner: Beginner) -> int:
    assert beginner._template is not None
    return beginner._template.pid


def _begin(beginner: Beginner, log: Path, *words: str, has_secrets: bool = False, **variables: str) -> Process:
    with log.open("ab") as output, NOTHING.open("rb") as nothing:
        descriptors = (nothing.fileno(), output.fileno())
        return beginner.begin(words, ["engine"], variables, *descriptors, has_secrets=has_secrets)


def _plain(beginner: Beginner, log: Path, *words: str) -> Process:
    """Begin it as if there were no template."""
    kept, beginner._template = beginner._template, None
    try:
        return _begin(beginner, log, *words)
    finally:
        beginner._template = kept


def _code(process: Process) -> int:
    until("it has ended", lambda: process.poll() is not None)
    code = process.poll()
    assert code is not None
    return code


def _says_ready(log: Path) -> bool:
    return log.exists() and "'ready'" in log.read_text()


def _facts(pid: int) -> dict[str, object]:
    """Return what a process has from whoever made it."""
    proc = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    open_files = [str(each.readlink()) for each in (proc / "fd").iterdir()]
    return {
        **{name: status[name] for name in ("Umask", "SigBlk", "SigIgn", "SigCgt", "PPid", "CoreDumping", "Seccomp")},
        "has its own session": fields[3] == str(pid),
        "cwd": (proc / "cwd").readlink(),
        "command": (proc / "cmdline").read_bytes().rstrip(b"\0"),
        "input": (proc / "fd" / "0").readlink(),
        "open": sorted(re.sub(r"\[\d+\]", "", name) for name in open_files),
        "limits": (proc / "limits").read_text(),
        "secret": SECRET.encode() in (proc / "environ").read_bytes(),
    }


def _settled(pid: int) -> dict[str, object]:
    """Return its facts once they stay so: a moment after it is ready its loop runs."""
    looks = [_facts(pid)]

    def stays() -> bool:
        time.sleep(0.2)
        looks.append(_facts(pid))
        return len(looks) > SAME_LOOKS and all(look == looks[-1] for look in looks[-SAME_LOOKS:])

    until("its loop runs", stays)
    return looks[-1]


def test_a_copy_has_what_a_python_of_its_own_has(beginner: Beginner, tmp_path: Path) -> None:
    """Session, signals, descriptors, directory, limits, command line, and no secret that it is not to have."""
    seen = []
    for begin in (_plain, _begin):
        log = tmp_path / "log"
        log.unlink(missing_ok=True)
        process = begin(beginner, log, "node", "engine")
        until("it is ready", partial(_says_ready, log))
        seen.append(_settled(process.pid))
        process.terminate()
        assert _code(process) == 0
    assert type(process) is module.Copy
    assert seen[0] == seen[1]
    assert seen[0]["command"].endswith(b"cli.py\0node\0engine")  # type: ignore[attr-defined]
    assert seen[0]["secret"] is False


@pytest.mark.parametrize("begin", [_plain, _begin])
def test_an_error_is_told_and_a_signal_ends_it(
    beginner: Beginner, tmp_path: Path, begin: Callable[..., Process]
) -> None:
    """Both ways alike."""
    log = tmp_path / "log"
    assert _code(begin(beginner, log, "node", "nobody")) == 1
    assert log.read_text().startswith("error: there is no node nobody; the nodes are ")
    assert len(log.read_text().splitlines()) == 1
    assert _code(begin(beginner, log, "node", "--no-such-option")) == 2
    running = begin(beginner, tmp_path / "first", "node", "engine")
    until("it is ready", partial(_says_ready, tmp_path / "first"))
    assert _code(begin(beginner, log, "node", "engine")) == 1
    assert f"engine is already running, pid {running.pid}" in log.read_text()
    running.terminate()
    assert _code(running) == 0
    for number in (signal.SIGKILL, signal.SIGABRT):
        process = begin(beginner, log, "node", "engine")
        os.kill(process.pid, number)
        assert _code(process) == -number
        process.kill()  # nobody's any more


def test_only_a_copy_that_is_to_have_them_gets_secrets(beginner: Beginner, tmp_path: Path) -> None:
    """The template itself never has them; /proc shows what it began with."""
    said = {}
    for has_secrets in (True, False):
        log = tmp_path / f"{has_secrets}"
        begun = _begin(beginner, log, "config", "show", has_secrets=has_secrets, TICKBUS_SYMBOL="ETHUSDT")
        assert _code(begun) == 0
        said[has_secrets] = {line.split()[0]: line.split()[1:] for line in log.read_text().splitlines()}
        assert said[has_secrets]["symbol"] == ["ETHUSDT", "environment"]
    assert said[True]["venue.secret"][-1] == "environment"
    assert said[False]["venue.secret"][-1] == "default"
    proc = Path(f"/proc/{_template(beginner)}")
    assert SECRET.encode() not in (proc / "environ").read_bytes()
    assert len(list((proc / "task").iterdir())) == 1, "a thread is not copied"
    assert {str(each.readlink()).split(":")[0] for each in (proc / "fd").iterdir()} == {"/dev/null", "/memfd", "socket"}


def test_a_copy_that_nobody_waits_for_any_more_ends(beginner: Beginner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be a second engine beside the one that its supervisor has begun in its place."""
    assert beginner._template is not None
    monkeypatch.setattr(module, "ANSWER_S_MAX", 0.0)
    with NOTHING.open("r+b") as nothing:
        run = partial(beginner._template.copy, ["node", "engine"], {}, nothing.fileno(), nothing.fileno())
        assert [run() for _ in range(5)] == [None] * 5
    begun = Path(f"/proc/{_template(beginner)}/environ").read_bytes()

    def copies() -> list[str]:
        found = subprocess.run(["pgrep", "-f", "cli.py (node|template)"], capture_output=True, text=True, check=False)
        others = [pid for pid in found.stdout.split() if int(pid) != _template(beginner)]
        return [pid for pid in others if _environ(pid) == begun]

    until("no copy is left", lambda: not copies())


def _environ(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _asking(supervisor: int, then: Callable[[], object]) -> tuple[int, socket.socket]:
    """Fork what asks on a line what it is to be; return its pid, and the other end of the line."""
    ours, theirs = socket.socketpair()
    if (pid := os.fork()) == 0:
        ours.close()
        server._told(theirs, supervisor)
        then()
        os._exit(0)
    theirs.close()
    return pid, ours


@pytest.mark.parametrize("end", ["told nothing", "told a half", "another supervisor"])
def test_a_copy_that_is_not_told_what_it_is_ends(end: str) -> None:
    """Its supervisor was killed meanwhile, or has given it up."""
    pid, line = _asking(1 if end == "another supervisor" else os.getpid(), lambda: None)
    with line:
        assert line.recv(16) == (b"" if end == "another supervisor" else str(pid).encode())
        if end == "told a half":
            line.sendall(msgpack.packb([["node"], {}])[:3])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_two_copies_throw_other_dice() -> None:
    """A maker whose strategy asks numpy's own generator would draw the same again after each restart."""
    drawn = set()
    for _ in range(2):
        reader, writer = os.pipe()
        tell = partial(_draw, writer)
        pid, line = _asking(os.getpid(), tell)
        with line:
            assert int(line.recv(16)) == pid
            line.sendall(msgpack.packb([["node"], {}]))
        os.waitpid(pid, 0)
        drawn |= set(os.read(reader, 100).split())
        os.close(reader)
        os.close(writer)
    assert len(drawn) == 4


def _draw(writer: int) -> None:
    os.write(writer, f"{numpy.random.random()} {random.random()}".encode())


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_template_can_import_what_it_is_to(kind: str) -> None:
    """Else every node of the kind would begin plainly, and nobody would mind."""
    assert [server._failure(load) for load in server._loads(kind)] == [""] * len(list(server._loads(kind)))


def test_what_cannot_be_imported_is_told_and_begins_plainly(tmp_path: Path) -> None:
    """The node then says in its own way what it lacks; others are copies all the same."""
    (tmp_path / "uvloop.py").write_text("raise ImportError('the loop is broken')")
    told: list[str] = []
    variables = environment(PYTHONPATH=str(tmp_path), TICKBUS_RUN_DIR=str(tmp_path / "run"))
    beginner = Beginner(variables, ["api", "flow"], 60, told.append)
    with closing(_Ending(beginner)):
        until("it has tried", lambda: _looked(beginner) and told)
        until("it has got on", lambda: _looked(beginner) and beginner.is_ready(["flow"]))
        assert beginner.is_ready(["api"])
        assert told == ["the template lacks api: ImportError: the loop is broken"]
        with (tmp_path / "log").open("ab") as log:
            run = partial(
                beginner.begin, ["config", "show"], stdin=log.fileno(), output=log.fileno(), has_secrets=False
            )
            kinds = {each: run([each], {}) for each in ("api", "flow")}
            assert [type(each) for each in kinds.values()] == [subprocess.Popen, module.Copy]
            assert list(map(_code, kinds.values())) == [0, 0]


class _Ending:
    def __init__(self, beginner: Beginner) -> None:
        self.close = beginner.end


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_ends_before_it_has_made_a_node_is_done_without(number: int, tmp_path: Path) -> None:
    """Whatever keeps it from coming up would keep the next one from it, too."""
    told: list[str] = []
    beginner = Beginner(environment(), ["engine"], 60, told.append)
    assert not beginner.is_ready(["engine"])
    os.kill(_template(beginner), number)
    until("it is noticed", lambda: _looked(beginner) and told)
    assert told == [f"the template was killed by {signal.Signals(number).name}: nodes start without one"]
    assert beginner.is_ready(["engine"])
    process = _begin(beginner, tmp_path / "log", "config", "show")
    assert (type(process), _code(process)) == (subprocess.Popen, 0)
    beginner.look()
    beginner.end()


def test_one_that_does_not_get_on_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped one never ends by itself."""
    told: list[str] = []
    monkeypatch.setattr(module, "LOAD_NS_MAX", 200_000_000)
    beginner = Beginner(environment(), ["engine"], 60, told.append)
    pid = _template(beginner)
    os.kill(pid, signal.SIGSTOP)
    until("it is noticed", lambda: _looked(beginner) and told)
    assert told == ["the template does not get on: nodes start without one"]
    assert not Path(f"/proc/{pid}").exists()


def test_one_that_is_killed_while_it_is_asked_keeps_no_node_from_starting(tmp_path: Path) -> None:
    """It is stopped, so that the question waits in its line; then it is killed."""
    told: list[str] = []
    beginner = Beginner(environment(), ["engine"], 60, told.append)
    with closing(_Ending(beginner)):
        until("the template has imported all", partial(_is_loaded, beginner))
        assert _code(_begin(beginner, tmp_path / "log", "config", "show")) == 0
        first = _template(beginner)
        os.kill(first, signal.SIGSTOP)
        killing = threading.Timer(0.3, os.kill, (first, signal.SIGKILL))
        killing.start()
        asked = time.monotonic()
        process = _begin(beginner, tmp_path / "log", "config", "show")
        assert time.monotonic() - asked < module.ANSWER_S_MAX
        assert (type(process), _code(process)) == (subprocess.Popen, 0)
        assert [line.rpartition(": ")[2] for line in told] == ["another one is made"]
        assert _template(beginner) != first
        until("another one has imported all", lambda: _looked(beginner) and not _is_loading(beginner))
        again = _begin(beginner, tmp_path / "log", "config", "show")
        assert (type(again), _code(again)) == (module.Copy, 0)


def _template_of(desk: Desk) -> int | None:
    """Return the pid of the template of a desk that runs."""
    assert desk.process is not None
    children = Path(f"/proc/{desk.process.pid}/task/{desk.process.pid}/children").read_text().split()
    found = [int(pid) for pid in children if b"cli.py\0template" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found[0] if found else None


def test_a_desk_lives_on_without_its_template(plain_desk: Desk) -> None:
    """Killed and stopped ones: no node ends, the next one comes back, and nothing is left in the end."""
    plain_desk.start("--only", "engine", "--only", "gateway")
    pids = {row["node"]: row["pid"] for row in plain_desk.status()["nodes"]}
    first = _template_of(plain_desk)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    plain_desk.kill("engine")
    second = until("there is another one", lambda: _template_of(plain_desk))
    assert second != first
    assert plain_desk.node("gateway")["pid"] == pids["gateway"]
    plain_desk.kill("gateway")  # so that the second one has made a node, or is on its way
    plain_desk.kill("engine")
    os.kill(second, signal.SIGSTOP)
    plain_desk.kill("gateway")
    until("there is a third one", lambda: _template_of(plain_desk) not in (None, second))
    third = _template_of(plain_desk)
    said = plain_desk.stop(signal.SIGINT)
    assert "desk: the template was killed by SIGKILL: another one is made" in said
    assert "desk: the template does not answer: another one is made" in said
    assert node_processes(plain_desk.run_dir) == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in (first, second, third))


def test_a_template_ends_with_its_supervisor(plain_desk: Desk) -> None:
    """kill -9 of the supervisor leaves none behind, also not one that cannot notice it."""
    plain_desk.start("--only", "engine")
    assert plain_desk.process is not None
    pid = _template_of(plain_desk)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    plain_desk.process.kill()
    plain_desk.process.communicate()
    plain_desk.process = None
    until("it is gone", lambda: not Path(f"/proc/{pid}").exists())
    until("all nodes are gone", lambda: not node_processes(plain_desk.run_dir))
