"""The recipes and the README name commands, settings and pages that there are."""

import re
from pathlib import Path

import pytest

from desk.settings import environment_name, load_settings
from paper.fault_scenario import read_scenario
from tests.commands.tree import commands
from tests.docs.programs import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def _toml_blocks(page: Path) -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _is_scenario(block: str) -> bool:
    return "[[rows]]" in block


@pytest.mark.parametrize("block", [block for page in PAGES for block in _toml_blocks(page) if _is_scenario(block)])
def test_scenario_of_a_page_is_taken(block: str, tmp_path: Path) -> None:
    """As a desk's exchange checks it before anything is set."""
    path = tmp_path / "faults.toml"
    path.write_text(block, encoding="utf-8")
    assert read_scenario(path, {"BTCUSDT"}, {1, 2})


@pytest.mark.parametrize("block", [block for page in PAGES for block in _toml_blocks(page) if not _is_scenario(block)])
def test_settings_of_a_page_are_taken(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that has another name now would be found by whoever follows the page."""
    (tmp_path / "tickbus.toml").write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    loaded = {key: origin for key, _, origin in load_settings({}).values()}
    assert "tickbus.toml" in " ".join(loaded.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_names_commands_and_pages_that_there_are(page: Path) -> None:
    """Every `python cli.py WORD` is a command, and every link to a page of ours leads to a heading of it."""
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"python cli\.py ([a-z]+)", text)) <= {name.partition(" ")[0] for name in commands()}
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
        file = page if not target else (page.parent / target).resolve()
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file.read_text(encoding="utf-8")), f"{target}#{anchor}"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_names_variables_that_there_are(page: Path) -> None:
    """One of old, or a misspelt one, would stop a desk that somebody starts with it."""
    known = {environment_name(key) for key, _, _ in load_settings().values()}
    assert set(re.findall(r"\bTICKBUS_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8"))) <= known
