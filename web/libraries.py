"""The chart libraries: files inside of two packages of Python, which are never imported, only looked for and read.

`litecharts` carries lightweight-charts 5.1.0 (Apache-2.0, TradingView), `youplot` carries uPlot 1.6.31 (MIT, Leon
Sorokin). A file whose content is another one than these is not served.
"""

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from typing import Final, NamedTuple


class Library(NamedTuple):
    """A file that a package carries.

    Attributes:
        name: under which it is served.
        package: its distribution.
        path: where it is below the packages' folder.
        sha256: of its content.
        shows: what the page has no more without it.
    """

    name: str
    package: str
    path: str
    sha256: str
    shows: str


LIBRARIES: Final = (
    Library(
        "lightweight-charts.js",
        "litecharts",
        "litecharts/js/lightweight-charts.js",
        "756b0ba9f58930226d6b8b9d47ad310448ab85d799ea1f7c2c02304777c10b52",
        "candles",
    ),
    Library(
        "uplot.js",
        "youplot",
        "youplot/vendor/uplot.iife.min.js",
        "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2",
        "distance of the quotes",
    ),
    Library(
        "uplot.css",
        "youplot",
        "youplot/vendor/uplot.min.css",
        "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
        "distance of the quotes",
    ),
)


def found_libraries(libraries: Sequence[Library] = LIBRARIES) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the files that are there and are what they should be, and a line for each chart that is left out."""
    found: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    for library in libraries:
        try:
            content = bytes(distribution(library.package).locate_file(library.path).read_bytes())  # type: ignore[attr-defined]
        except PackageNotFoundError:
            missing[library.shows] = f"{library.package} is not installed"
        except OSError as error:
            missing[library.shows] = f"{library.package} cannot be read: {error.strerror}"
        else:
            if hashlib.sha256(content).hexdigest() == library.sha256:
                found[library.name] = content
            else:
                missing[library.shows] = f"{library.package} has another {library.name} than the one that is expected"
    left_out = {library.name for library in libraries if library.shows in missing}
    lines = tuple(f"no chart of the {shows}: {why}" for shows, why in missing.items())
    return {name: content for name, content in found.items() if name not in left_out}, lines
