"""`whatif`: a run that `simulate --out` has left, again."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cli
from desk.client import DeskError
from market.mendable import MendableError


def ran(*words: str, code: int = 0) -> str:
    """Return what a command prints."""
    result = CliRunner().invoke(cli.app, list(words))
    if isinstance(result.exception, MendableError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes of a desk."""
    folder = tmp_path_factory.mktemp("runs") / "a"
    ran("simulate", "--seconds", "600", "--jitter-ms", "3", "--out", str(folder))
    return folder


def test_nothing_changed_is_every_fill_and_file_byte_for_byte(run: Path) -> None:
    """Delays with dice among them."""
    document = json.loads(ran("whatif", str(run), "--json"))
    assert document["is_identical"] is True
    assert document["again"]["fills"] > 10
    assert document["difference"] is None
    assert "byte for byte" in ran("whatif", str(run))


def test_change_is_told_with_an_interval_from_the_blocks(run: Path) -> None:
    """Ten blocks of a minute; the setting that it was stands beside what it is."""
    document = json.loads(ran("whatif", str(run), "--json", "--set", "maker.half_spread=0.0005"))
    assert (document["was"], document["set"]) == ({"maker.half_spread": "0.002"}, {"maker.half_spread": "0.0005"})
    difference = document["difference"]
    assert (difference["blocks"], difference["block_s"], difference["why"]) == (10, 60, None)
    assert difference["low"] < difference["pnl"] < difference["high"]
    assert difference["pnl"] == pytest.approx(document["changed"]["pnl"] - document["again"]["pnl"])


def test_same_setting_again_differs_by_nothing(run: Path) -> None:
    """The change is the only thing that differs between the two runs."""
    document = json.loads(ran("whatif", str(run), "--json", "--set", "maker.half_spread=0.002"))
    assert {document["difference"][name] for name in ("pnl", "low", "high")} == {0}
    assert document["again"] == document["changed"]


def test_run_that_is_not_the_same_any_more_ends_with_1_and_no_difference(run: Path, tmp_path: Path) -> None:
    """For instance a trade that the file has otherwise."""
    (tmp_path / "b").mkdir()
    for path in (*run.glob("*.json"), *run.glob("journal")):
        (tmp_path / "b" / path.name).symlink_to(path)
    (day,) = (tmp_path / "b").glob("performance_*.json")
    content = day.read_bytes()
    day.unlink()
    day.write_bytes(content.replace(b'"total_buys": ', b'"total_buys": 1', 1))
    words = ("whatif", str(tmp_path / "b"), "--set", "maker.half_spread=0.001")
    document = json.loads(ran(*words, "--json", code=1))
    assert (document["is_identical"], document["difference"]) == (False, None)
    assert "means nothing" in ran(*words, code=1)


def test_what_cannot_be_is_one_line(run: Path, tmp_path: Path) -> None:
    """No run, a damaged one, a setting that changes nothing, a recording's run."""
    with pytest.raises(DeskError, match="holds no run"):
        ran("whatif", str(tmp_path))
    with pytest.raises(DeskError, match="nothing here reads it"):
        ran("whatif", str(run), "--set", "api.port=1")
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    with pytest.raises(DeskError, match="has no journal"):
        ran("whatif", str(tmp_path))
    (tmp_path / "run.json").write_text('{"version": 1}')
    with pytest.raises(DeskError, match="damaged"):
        ran("whatif", str(tmp_path))
    (tmp_path / "run.json").write_text('{"version": 2}')
    with pytest.raises(DeskError, match="expected version 1"):
        ran("whatif", str(tmp_path))
