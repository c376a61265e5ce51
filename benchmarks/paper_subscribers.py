"""Subscribers of a market stream, many in one process: `python -m benchmarks.paper_subscribers URL COUNT TRADES`.

It says `ready` when all are connected, and prints, when each has TRADES trades or nothing comes any more, a JSON list
with, for each of them, the trade ids, when they came (monotonic ns), and how many messages it got in all.
"""

import asyncio
import json
import sys
from typing import Any

from websockets.asyncio.client import connect

from market.clock import monotonic_ns

SILENCE_S = 5.0
START_S = 60.0


async def subscriber(url: str, trades: int, is_ready: "asyncio.Queue[None]") -> dict[str, Any]:
    """Receive until there are so many trades."""
    ids: list[int] = []
    at_ns: list[int] = []
    count = 0
    async with connect(url, max_queue=None) as socket:
        is_ready.put_nowait(None)
        while len(ids) < trades:
            try:
                text = await asyncio.wait_for(socket.recv(), SILENCE_S if ids else START_S)
            except TimeoutError:
                break
            now_ns = monotonic_ns()
            count += 1
            data = json.loads(text)["data"]
            if data.get("e") == "trade":
                ids.append(data["t"])
                at_ns.append(now_ns)
    return {"ids": ids, "at_ns": at_ns, "messages": count}


async def run(url: str, count: int, trades: int) -> None:
    """Connect all, say so, and print what they got."""
    is_ready: asyncio.Queue[None] = asyncio.Queue()
    tasks = [asyncio.create_task(subscriber(url, trades, is_ready)) for _ in range(count)]
    for _ in range(count):
        await is_ready.get()
    print("ready", flush=True)
    print(json.dumps(await asyncio.gather(*tasks)), flush=True)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
