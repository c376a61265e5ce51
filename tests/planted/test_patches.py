"""Each planted defect still fits the sources, and is listed with the test that finds it."""

import re
from pathlib import Path

import pytest

from tests.planted.__main__ import failed
from tests.planted.planted import FOLDER, ROOT, PatchError, Row, planted, read_patch, rows

ROWS = rows()


def test_the_table_has_each_patch_once() -> None:
    """A patch that nobody lists is never planted."""
    assert sorted(row.name for row in ROWS) == sorted(path.stem for path in FOLDER.glob("*.patch"))
    assert len(ROWS) >= 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_patch_applies_and_the_test_that_finds_it_is_there(row: Row) -> None:
    """A change of the code takes its patch with it, as a renamed test its row."""
    for name, source in planted(read_patch(FOLDER / f"{row.name}.patch")):
        compile(source, name, "exec")
        assert source != (ROOT / name).read_text(encoding="utf-8")
    file, _, test = row.found_by.partition("::")
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_a_patch_applies_to_moved_lines_and_not_to_changed_or_doubled_ones(tmp_path: Path) -> None:
    """Where the lines stand does not matter; that they are those, and which ones, does."""
    patch = tmp_path / "a.patch"
    patch.write_text("Why.\n--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n", encoding="utf-8")
    source = tmp_path / "x.py"
    source.write_text("z = 0\n\na = 1\nb = 2\n", encoding="utf-8")
    assert dict(planted(read_patch(patch), tmp_path)) == {"x.py": "z = 0\n\na = 1\nb = 3\n"}
    for text in ("a = 1\nb = 4\n", "a = 1\nb = 2\na = 1\nb = 2\n"):
        source.write_text(text, encoding="utf-8")
        with pytest.raises(PatchError, match="where once is expected"):
            dict(planted(read_patch(patch), tmp_path))


def test_the_first_test_that_fails_is_told_and_none_is_no_find(tmp_path: Path) -> None:
    """Sources that do not run find nothing."""
    (tmp_path / "tests").mkdir()
    file = tmp_path / "tests" / "test_it.py"
    file.write_text("def test_a():\n    pass\n\ndef test_b():\n    raise OSError\n\ndef test_c():\n    raise OSError\n")
    assert failed(tmp_path, ["tests"]) == "tests/test_it.py::test_b"
    file.write_text("def test_a():\n    pass\n")
    assert failed(tmp_path, ["tests"]) == ""
    file.write_text("import nothing_of_that_name\n")
    with pytest.raises(RuntimeError, match="the tests do not run"):
        failed(tmp_path, ["tests"])
