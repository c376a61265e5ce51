"""Whoever waits for a desk that is not there says for what, once."""

import asyncio
import logging
import socket
from pathlib import Path

import pytest

from bus.subscriber import FeedSubscriber
from commands.actions import book as desk
from tests.one_engine import one_engine
from venues import gateway
from venues.gateway import GatewayError, GatewaySession
from venues.gateway_async import AsyncGatewaySession


class EnoughError(Exception):
    """The test has waited often enough."""


def test_feed_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`feed` without an engine waited for ever in silence."""
    turns = iter(range(3))

    def wait(*_: object) -> None:
        if next(turns, None) is None:
            raise EnoughError

    monkeypatch.setattr(desk, "SILENT_NS", -1)
    monkeypatch.setattr(desk, "wait_any", wait)
    subscriber = FeedSubscriber(one_engine(tmp_path), [b"best.BTCUSDT"])
    with pytest.raises(EnoughError):
        next(desk._frames(subscriber, [b"best.BTCUSDT"]))
    subscriber.close()
    assert capsys.readouterr().err == "waiting for best.BTCUSDT: no engine is heard of: is it up?\n"


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_sessions_say_what_they_wait_for(
    closed_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bot without a gateway waited in silence for half a minute; logging prints warnings by itself."""
    monkeypatch.setattr(gateway, "SILENT_S", -1.0)

    async def connect() -> None:
        async with AsyncGatewaySession("ann", "127.0.0.1", closed_port, reconnect_s=0.2):
            pass

    with caplog.at_level(logging.WARNING):
        with pytest.raises(GatewayError, match=f"127.0.0.1:{closed_port}"):
            GatewaySession("ann", "127.0.0.1", closed_port, reconnect_s=0.2)
        with pytest.raises(GatewayError, match=f"127.0.0.1:{closed_port}"):
            asyncio.run(connect())
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2, told
    assert all(
        line.startswith("still waiting for the gateway, for up to 0 s: no gateway at 127.0.0.1:") for line in told
    )
