"""A way to a server on which a test lets nothing through, or lets all wait: what a network does."""

import asyncio
import socket
import threading
from contextlib import suppress
from time import monotonic

CHUNK = 65_536


class Passage:
    """Takes connections on a port of its own and passes on what comes.

    Attributes:
        delay_s: by which what the server says comes later.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.delay_s = 0.0
        self._dead: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()

    def cut(self) -> None:
        """Let nothing more through on what is open, and tell neither end so."""
        self._loop.call_soon_threadsafe(lambda: self._dead.update(self._open))

    def drop(self) -> None:
        """Hang up on all."""

        def hang_up() -> None:
            for each in self._open:
                each.transport.abort()

        self._loop.call_soon_threadsafe(hang_up)

    def close(self) -> None:
        """Take no more."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._take, sock=self._listener)
        await self._ending.wait()
        server.close()
        for each in self._open:
            each.transport.abort()
        await asyncio.sleep(0.1)  # for the tasks of the connections to end

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {writer, back}
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        tasks = [
            asyncio.create_task(self._pass(reader, back)),
            asyncio.create_task(self._hold(there, waiting)),
            asyncio.create_task(self._let_go(waiting, writer)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._open -= {writer, back}
        writer.transport.abort()
        back.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if writer not in self._dead:
                    writer.write(data)

    async def _hold(self, reader: asyncio.StreamReader, waiting: "asyncio.Queue[tuple[float, bytes]]") -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                waiting.put_nowait((monotonic() + self.delay_s, data))
            await asyncio.sleep(self.delay_s)

    async def _let_go(self, waiting: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - monotonic()))
            if writer not in self._dead:
                writer.write(data)
