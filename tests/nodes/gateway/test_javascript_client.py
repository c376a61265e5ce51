"""The client in JavaScript, which does nothing but what docs/protocol.md says, while gateway and engine are killed."""

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from market.codes import Tag
from tests.desk.desk_process import ROOT, short_directory, until
from tests.environments.made import node_program
from tests.nodes.gateway.gateway_process import Pair

EXAMPLES = ROOT / "examples"
COUNT = 60
KILLED_AT = {8: "gateway", 20: "engine", 32: "gateway", 44: "engine"}  # when so many orders are done


@pytest.fixture
def mortal() -> Iterator[Pair]:
    """An engine and a gateway to be killed."""
    with short_directory() as path, Pair(path).working() as one:
        yield one


def reports_of(output: Path) -> list[list[int]]:
    """Return the whole lines of the program's output as numbers."""
    return [list(map(int, line.split())) for line in output.read_text().split("\n")[:-1]]


def test_javascript_client_keeps_its_session_through_every_cut_and_kill(mortal: Pair, tmp_path: Path) -> None:
    """Each order is accepted once, made smaller, cancelled once; the reports have no gap; the session ends."""
    command = node_program(EXAMPLES / "order_client.mjs", EXAMPLES, tmp_path)
    output = tmp_path / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*command, "127.0.0.1", str(mortal.port), "js", str(COUNT)], stdout=file, stderr=file
        )

    def is_done(count: int) -> bool:
        assert process.poll() in (None, 0), output.read_text()
        return sum(tag == Tag.CANCELED for tag, *_ in reports_of(output)) >= count

    try:
        for count, victim in KILLED_AT.items():
            until(f"{count} orders are done", partial(is_done, count))
            mortal.kill(victim)
            mortal.start(victim)
        assert process.wait(120) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()
    reports = reports_of(output)
    sequences = [sequence for _, sequence, *_ in reports if sequence]
    assert sequences == list(range(1, len(sequences) + 1))
    for tag in (Tag.ACCEPTED, Tag.CANCELED):
        assert [fields[4] for fields in reports if fields[0] == tag] == list(range(1, COUNT + 1))
    assert {fields[4] for fields in reports if fields[0] == Tag.AMENDED} == set(range(1, COUNT + 1))
