"""Who may talk to a desk over tcp: its pair of CURVE keys, the list of public keys that it lets in, and the gate.

A key is 40 characters of Z85. The public one may be shown to everybody; the secret one stands in a file of mode 0600.
"""

import contextlib
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import zmq
from zmq.utils import z85

from market.mendable import MendableError
from market.whole_file import write_new

if TYPE_CHECKING:
    from zmq.auth.thread import ThreadAuthenticator

KEY_LENGTH: Final = 40
REFUSED_KEYS_MAX: Final = 100  # remembered, to be told
_FILE_BYTES_MAX: Final = 1 << 20


class CurveError(MendableError):
    """A file of keys cannot be trusted or read; the text is one line for a person, and never a secret."""


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """A pair of keys; the secret one is never printed."""

    public: bytes
    secret: bytes = field(repr=False)


def load_or_make_keys(path: Path) -> CurveKeys:
    """Return the pair of keys in `path`; if there is no such file, make it, of mode 0600, with a new pair.

    Raises:
        CurveError: if others may read the file, it holds something else, or it cannot be made.
    """
    if not path.exists():
        public, secret = zmq.curve_keypair()
        try:
            with contextlib.suppress(FileExistsError):  # another node of the desk was faster: its pair is the desk's
                write_new(path, b"public=" + public + b"\nsecret=" + secret + b"\n")
        except OSError as error:
            raise CurveError(f"cannot make {path}: {error.strerror or error}") from None
    values = dict(line.split("=", 1) for line in _private_lines(path) if "=" in line)
    public, secret = (values.get(name, "").encode() for name in ("public", "secret"))
    if not is_key(secret) or zmq.curve_public(secret) != public:
        raise CurveError(f"{path} must hold public=KEY and secret=KEY that belong together")
    return CurveKeys(public, secret)


def is_key(text: bytes) -> bool:
    """Return whether `text` is a key in Z85."""
    try:
        return len(text) == KEY_LENGTH and len(z85.decode(text)) == 32
    except (ValueError, KeyError):
        return False


def _private_lines(path: Path) -> list[str]:
    try:
        status = path.stat()
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.getuid():
            raise CurveError(f"{path} must be your own file with mode 0600: it holds a secret key")
        return path.read_text(encoding="ascii").splitlines() if status.st_size < _FILE_BYTES_MAX else []
    except (OSError, UnicodeDecodeError) as error:
        raise CurveError(f"{path} cannot be read: {error}") from None


class AllowedKeys:
    """The public keys that are let in: our own, and those of a file that is read again for every newcomer.

    A line of the file is a key, and after a space whose it is; empty lines and those that begin with "# " are left
    out. Without a file only our own key is let in.

    Raises:
        CurveError: if the file has a line of another kind.
    """

    def __init__(self, own: bytes, path: Path) -> None:
        self._own = own
        self._path = path
        self._lock = threading.Lock()
        self._refused: list[bytes] = []
        self.load()

    def load(self) -> dict[bytes, str]:
        """Return whose each key of the file is.

        Raises:
            CurveError: as the constructor.
        """
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise CurveError(f"{self._path} cannot be read: {error}") from None
        names: dict[bytes, str] = {}
        for number, line in enumerate(lines, 1):
            key, _, name = line.strip().partition(" ")
            if not key or key == "#":
                continue
            if not is_key(key.encode()):
                raise CurveError(f"{self._path} must have a public key of 40 characters in line {number}")
            names[key.encode()] = name.strip()
        return names

    def callback(self, domain: str, key: bytes) -> bool:  # noqa: ARG002 - the library calls us with both
        """Return whether the proven holder of `key` may come in; a file that cannot be read lets nobody in."""
        try:
            is_allowed = key == self._own or key in self.load()
        except CurveError:
            is_allowed = False
        if not is_allowed:
            with self._lock:
                self._refused = [*self._refused[-REFUSED_KEYS_MAX:], key]
        return is_allowed

    def take_refused(self) -> list[str]:
        """Return the keys that were refused since the last call, each once."""
        with self._lock:
            refused, self._refused = self._refused, []
        return sorted({key.decode() for key in refused})


@dataclass(frozen=True, slots=True)
class Curve:
    """What one end of an encrypted connection needs.

    Attributes:
        keys: our own pair.
        server_key: the public key of the machine that binds.
        allowed: whom we let in where we bind.
    """

    keys: CurveKeys
    server_key: bytes
    allowed: AllowedKeys

    def serve(self, socket: "zmq.Socket[bytes]", domain: str) -> None:
        """Let only the holders of allowed keys reach what `socket` binds from now on; `domain` names the desk."""
        gate.guard(domain, self.allowed.callback)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.keys.secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, domain.encode())
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without a gate nobody comes in, rather than everybody

    def join(self, socket: "zmq.Socket[bytes]") -> None:
        """Make `socket` prove who we are, and see whom it has reached, when it connects from now on."""
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server_key)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.keys.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.keys.secret)


class _Gate:
    """The one thread of this process that ZeroMQ asks about newcomers (ZAP, ZeroMQ RFC 27)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._authenticator: ThreadAuthenticator | None = None

    def guard(self, domain: str, callback: Callable[[str, bytes], bool]) -> None:
        """Ask `callback` about the newcomers of `domain`."""
        with self._lock:
            if self._authenticator is None:
                from zmq.auth.thread import ThreadAuthenticator  # brings asyncio, and most desks have no keys

                self._authenticator = ThreadAuthenticator(zmq.Context.instance())
                self._authenticator.start()
            self._authenticator.configure_curve_callback(domain, SimpleNamespace(callback=callback))

    def close(self) -> None:
        """Let nobody in any more, at the end of the process."""
        with self._lock:
            if self._authenticator is not None:
                self._authenticator.stop()
                self._authenticator = None


gate: Final = _Gate()
