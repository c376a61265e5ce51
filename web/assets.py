"""What a browser loads beside the page: files that never change under their address, which names their content."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from web.libraries import found_libraries

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_DIGEST_LENGTH: Final = 16
CACHED: Final = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class Assets(NamedTuple):
    """All of them.

    Attributes:
        digest: of all contents; a part of their address, so that modules can name each other by their plain names.
        files: by name, the content and its type.
        missing: what the page has to do without, a line for a person each.
    """

    digest: str
    files: Mapping[str, tuple[bytes, str]]
    missing: tuple[str, ...]

    def path(self, name: str) -> str:
        """Return the address of a file."""
        return f"/assets/{self.digest}/{name}"


@cache
def load_assets() -> Assets:
    """Return all, read once."""
    libraries, missing = found_libraries()
    contents = {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES} | libraries
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    files = {name: (content, _TYPES[Path(name).suffix]) for name, content in contents.items()}
    return Assets(digest.hexdigest()[:_DIGEST_LENGTH], files, missing)
