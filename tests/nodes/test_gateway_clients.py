"""The clients that a user's own bot imports, and the examples."""

import asyncio
import subprocess
import sys

from market.events import Accepted, Canceled, Event
from tests.desk.desk_process import ROOT, environment
from tests.nodes.gateway_process import Pair
from venues.gateway_async import AsyncGatewaySession


def test_bot_for_asyncio_does_the_same(pair: Pair, name: str) -> None:
    """It enters, hears, cancels and leaves; a second life begins where the first one ended."""

    async def trade() -> list[Event]:
        heard: list[Event] = []
        async with AsyncGatewaySession(name, port=pair.port) as session:
            order_id = await session.sell("BTCUSDT", "99000", "0.5")
            async for event in session.events():
                heard.append(event)
                if isinstance(event, Accepted):
                    await session.cancel(order_id)
                else:
                    break
        async with AsyncGatewaySession(name, port=pair.port, last_sequence=1) as session:
            async for event in session.events():
                heard.append(event)
                break
            await session.logout(is_final=True)
        return heard

    accepted, canceled, again = asyncio.run(trade())
    assert isinstance(accepted, Accepted)
    assert isinstance(canceled, Canceled)
    assert again == canceled


def test_example_bot_runs(pair: Pair) -> None:
    """The ten lines that a reader is shown."""
    result = subprocess.run(
        [sys.executable, "-m", "examples.bot", "127.0.0.1", str(pair.port)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert [line.partition("(")[0] for line in result.stdout.splitlines()] == ["Accepted", "Canceled"]
