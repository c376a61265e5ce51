"""What a command writes: never over what a desk keeps, and whole or not at all."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commands.actions.export import export_fills
from commands.actions.report import Period, print_report
from desk.client import DeskError
from desk.settings import Settings, load_settings
from history.database import HistoryError
from market.whole_file import writing_whole
from tests.commands.test_export import FILLS, _keep
from tests.nodes.tracker.accounts import made_trades
from tests.reports.fills import DAY


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return those of a desk with a history and other files of its own."""
    found = load_settings({"run_dir": str(tmp_path / "run")}).settings
    _keep(found, FILLS)
    (found.reports_dir / "performance_20251130.json").write_text("{}")
    (found.run_dir / "tickbus.toml").write_text("")
    return found


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let no file become larger meanwhile, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


KEPT = ["reports/history.sqlite3", "reports/history.sqlite3-wal", "reports/performance_20251130.json", "tickbus.toml"]


@pytest.mark.parametrize("name", [*KEPT, "new.txt", "decisions_20251130.jsonl"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "html"])
@pytest.mark.parametrize("is_link", [False, True])
def test_is_not_written_over_what_the_desk_keeps(
    settings: Settings, tmp_path: Path, name: str, kind: str, is_link: bool
) -> None:
    """`--out` took the history itself, and `--html` a daily file: a day, or all of them, was lost."""
    file = settings.run_dir / name
    if is_link:
        (tmp_path / "link").symlink_to(file)
        file = tmp_path / "link"
    before = _contents(settings.run_dir)
    with pytest.raises(DeskError, match="is a desk's own, or in its folder: expected a file"):
        _write(settings, kind, file)
    assert _contents(settings.run_dir) == before


def _write(settings: Settings, kind: str, file: Path) -> None:
    if kind == "html":
        print_report(settings, pytest.fail, Period(DAY, DAY), as_json=True, html=file)
    else:
        export_fills(settings, kind, None, file)


def test_is_written_beside_the_books_under_a_name_of_its_own(settings: Settings, tmp_path: Path) -> None:
    """A place that people use, and a link to a file elsewhere, which stays one."""
    export_fills(settings, "csv", None, settings.reports_dir / "fills.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    export_fills(settings, "csv", None, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == (settings.reports_dir / "fills.csv").read_bytes()
    assert len((tmp_path / "real.csv").read_text().splitlines()) == 1 + len(FILLS)
    with pytest.raises(DeskError, match=r"expected a file \.html"):
        print_report(settings, pytest.fail, Period(DAY, DAY), as_json=True, html=settings.reports_dir / "fills.csv")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_is_whole_or_as_it_was_on_a_full_disk(settings: Settings, tmp_path: Path, form: str) -> None:
    """Half a file looks like a year with fewer fills."""
    _keep(settings, made_trades(100, 1_500), "2")
    out = tmp_path / "out" / f"fills.{form}"
    out.parent.mkdir()
    for before in (None, b"of last year"):
        if before is not None:
            out.write_bytes(before)
        with disk_of(40_000), pytest.raises((DeskError, HistoryError), match="cannot write"):
            export_fills(settings, form, None, out)
        assert _contents(out.parent) == ({} if before is None else {str(out): before})
    export_fills(settings, form, None, out)
    assert out.stat().st_size > 40_000 or form == "parquet"


def test_what_is_no_file_is_written_to_as_it_is(settings: Settings, tmp_path: Path) -> None:
    """A device is not replaced by a file: not by CSV, not by what cannot be a stream."""
    before = Path("/dev/null").stat()
    export_fills(settings, "csv", None, Path("/dev/null"))
    with pytest.raises(HistoryError, match="it is no file"):
        export_fills(settings, "parquet", None, Path("/dev/null"))
    assert Path("/dev/null").stat().st_ino == before.st_ino


def test_a_death_in_between_leaves_the_old_file(tmp_path: Path) -> None:
    """Whatever ends the writing, a Ctrl-C, too."""
    (tmp_path / "old").write_text("old")

    def write() -> None:
        with writing_whole(tmp_path / "old") as file:
            file.write("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "old")]
