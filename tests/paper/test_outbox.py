"""What waits for a slow client: how much of it there may be."""

import asyncio

import pytest

from paper.streams import outbox as outbox_module
from paper.streams.outbox import BYTES_WAITING_MAX, MESSAGES_WAITING_MAX, Outbox


@pytest.mark.parametrize("text", ["a", "é", "語", "😀"])
def test_what_waits_is_counted_in_bytes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/paper.md says: a text of other letters than ASCII has more of them than characters."""
    drops: list[int] = []
    monkeypatch.setattr(outbox_module, "BYTES_WAITING_MAX", 10 * len(text.encode()))
    outbox = Outbox(lambda: drops.append(1))
    for _ in range(10):
        outbox.put(text)
    assert drops == []
    outbox.put(text)
    assert drops == [1]


def test_what_was_taken_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every client would be dropped after 8 MB in all."""
    monkeypatch.setattr(outbox_module, "MESSAGES_WAITING_MAX", 2)
    monkeypatch.setattr(outbox_module, "BYTES_WAITING_MAX", 8)

    async def run() -> list[int]:
        drops: list[int] = []
        outbox = Outbox(lambda: drops.append(1))
        for _ in range(10):
            outbox.put("éé")
            outbox.put("abcd")
            assert [await outbox.take(), await outbox.take()] == ["éé", "abcd"]
        return drops

    assert asyncio.run(run()) == []


def test_one_message_too_many_ends_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And from then on nothing is kept."""
    monkeypatch.setattr(outbox_module, "MESSAGES_WAITING_MAX", 3)
    drops: list[int] = []
    outbox = Outbox(lambda: drops.append(1))
    for _ in range(9):
        outbox.put("a")
    assert drops == [1]


def test_the_bounds_are_those_of_the_page() -> None:
    """10,000 messages, 8 MB."""
    assert (MESSAGES_WAITING_MAX, BYTES_WAITING_MAX) == (10_000, 8 * 1024 * 1024)
