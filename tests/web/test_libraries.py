"""The chart libraries: served only if they are what they should be, and the page works without them."""

import hashlib
from pathlib import Path

import pytest

from tests.environments.made import node_modules
from tests.pairs import default_instruments
from web import assets, page
from web.libraries import LIBRARIES, Library, found_libraries

_NPM = {
    "lightweight-charts.js": "lightweight-charts/dist/lightweight-charts.standalone.production.js",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
}


def test_finds_all_of_them() -> None:
    """As the lock installs them."""
    found, missing = found_libraries()
    assert missing == ()
    assert {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} == {
        library.name: library.sha256 for library in LIBRARIES
    }


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"package": "no-such-package-of-anybody"}, "no-such-package-of-anybody is not installed"),
        ({"path": "youplot/vendor/gone.js"}, "youplot cannot be read: No such file or directory"),
        ({"sha256": "0" * 64}, "youplot has another uplot.js than the one that is expected"),
    ],
)
def test_leaves_out_a_chart_of_which_a_file_is_not_what_it_should_be(changed: dict[str, str], why: str) -> None:
    """Its style sheet goes with it; the other chart stays."""
    libraries = [
        Library(**{**library._asdict(), **changed}) if library.name == "uplot.js" else library for library in LIBRARIES
    ]
    found, missing = found_libraries(libraries)
    assert sorted(found) == ["lightweight-charts.js"]
    assert missing == (f"no chart of the distance of the quotes: {why}",)


def test_a_page_without_a_library_says_so_and_does_not_load_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be a 404 in the console of each browser."""
    full = assets.load_assets()
    files = {name: file for name, file in full.files.items() if name != "lightweight-charts.js"}
    monkeypatch.setattr(page, "load_assets", lambda: full._replace(files=files, missing=("no candles",)))
    text = page.dashboard("BTCUSDT", default_instruments(), "a market")
    assert "lightweight-charts.js" not in text
    assert 'data-missing="no candles"' in text
    assert "uplot.js" in text


def test_are_those_that_npm_has() -> None:
    """Whoever carries them could have changed them; npm's lock has hashes of its own."""
    modules = node_modules(Path(__file__).parent / "npm")
    theirs = {name: hashlib.sha256((modules / path).read_bytes()).hexdigest() for name, path in _NPM.items()}
    assert theirs == {library.name: library.sha256 for library in LIBRARIES}
