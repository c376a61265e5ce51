"""What commands make, for who asks over HTTP: each in a process of its own, so that none holds up the book feed."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Hashable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sanic.exceptions import ServiceUnavailable

from desk.outlet import LOG_FILE
from desk.template import CLI_FILE
from market.clock import NS_PER_SECOND, monotonic_ns

KEPT_MAX: Final = 16
WAITING_MAX: Final = 4
FRESH_NS: Final = 10 * NS_PER_SECOND  # an answer is given again for so long
COMMAND_S_MAX: Final = 300.0


class Made(NamedTuple):
    """What a command has made: its exit code, what it printed or wrote, and the last line of what went wrong."""

    code: int
    content: bytes
    why: str


Run = Callable[[Sequence[str]], Awaitable[Made]]
Make = Callable[[], Awaitable[Made]]


def command_runner(run_dir: Path) -> Run:
    """Return what runs the words of a command for the desk in `run_dir`, and takes what it prints."""

    async def run(words: Sequence[str]) -> Made:
        environment = {name: value for name, value in os.environ.items() if name != LOG_FILE}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(CLI_FILE),
            *words,
            "--run-dir",
            str(run_dir),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(COMMAND_S_MAX):
                printed, wrong = await process.communicate()
        except TimeoutError:
            return Made(1, b"", f"it took more than {COMMAND_S_MAX:.0f} s")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None, words
        why = (wrong.decode(errors="replace").strip().splitlines() or [""])[-1].removeprefix("error: ")
        return Made(process.returncode, printed, why)

    return run


class Asked:
    """Answers by what was asked; one is made at a time, and kept for a while."""

    def __init__(self, clock: Callable[[], int] = monotonic_ns) -> None:
        self._clock = clock
        self._turn = asyncio.Semaphore(1)
        self._making: dict[Hashable, asyncio.Task[Made]] = {}
        self._kept: dict[Hashable, tuple[int, Made]] = {}

    def ask(self, key: Hashable, make: Make) -> Made | None:
        """Return the answer to what `key` names; None while it is made, which begins now if need be.

        Raises:
            ServiceUnavailable: if too many others wait.
        """
        task = self._making.get(key)
        if task is not None and task.done():  # a bug has ended it: what was made is kept
            self._making.pop(key).result()
        if task is not None:
            return None
        if (found := self._kept.get(key)) is not None and self._clock() - found[0] < FRESH_NS:
            return found[1]
        if len(self._making) >= WAITING_MAX:
            raise ServiceUnavailable("too much is asked for at once: try again soon", headers={"Retry-After": "2"})
        self._making[key] = asyncio.create_task(self._in_turn(key, make))
        return None

    async def answer(self, key: Hashable, make: Make, wait_s: float) -> Made | None:
        """Return what `ask` does, after a wait if it is made within that."""
        made = self.ask(key, make)
        if made is None:
            await asyncio.wait([self._making[key]], timeout=wait_s)
            made = self.ask(key, make)
        return made

    def _keep(self, key: Hashable, made: Made) -> None:
        self._kept.pop(key, None)
        self._kept[key] = self._clock(), made
        while len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]

    async def _in_turn(self, key: Hashable, make: Make) -> Made:
        async with self._turn:
            try:
                made = await make()
            except OSError as error:
                made = Made(1, b"", f"it cannot be made: {error.strerror or error}")
        self._keep(key, made)
        del self._making[key]
        return made
