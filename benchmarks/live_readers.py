"""Browsers of the live line, without a screen: `python -m benchmarks.live_readers PORT COUNT SECONDS`.

Each keeps levels as the page does, and confirms every fifth message. At the end they wait until a second has brought
no change of the book. What they had and what they were sent goes to standard output as JSON.
"""

import asyncio
import contextlib
import json
import sys
import time
from typing import Any, Final

import websockets

CONFIRM_EVERY: Final = 5
QUIET_S: Final = 1.0


async def _read(port: int, until_s: float) -> dict[str, Any]:
    levels: dict[tuple[int, int], int] = {}
    messages = size = seen = count = 0
    quiet_s = time.monotonic()
    async with websockets.connect(f"ws://127.0.0.1:{port}/api/live", proxy=None) as socket:
        while (now_s := time.monotonic()) < until_s or now_s < quiet_s + QUIET_S:
            text = ""
            with contextlib.suppress(asyncio.TimeoutError):
                text = str(await asyncio.wait_for(socket.recv(), QUIET_S))
            message = json.loads(text or "{}")
            if "v" not in message:
                continue
            assert message["after"] == seen, (message["after"], seen)
            seen, count = message["v"], count + 1
            if message["whole"]:
                levels.clear()
            for side, price, lots, *_ in message.get("book", ()):
                levels[side, price] = lots
                quiet_s = now_s
            if now_s < until_s:
                messages, size = messages + 1, size + len(text)
            if count % CONFIRM_EVERY == 0:
                await socket.send(str(seen))
    shown = sorted([side, price, lots] for (side, price), lots in levels.items() if lots)
    return {"messages": messages, "bytes": size, "levels": shown}


async def _read_all(port: int, count: int, seconds: float) -> list[dict[str, Any]]:
    until_s = time.monotonic() + seconds
    return list(await asyncio.gather(*(_read(port, until_s) for _ in range(count))))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_read_all(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))))
