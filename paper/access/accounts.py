"""API keys: who may act for which account, and the file that the first pair of keys lives in."""

import re
import secrets
import string
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from market.mendable import MendableError
from market.private_file import PrivateFileError, read_private_file
from market.whole_file import write_new

API_KEY_NAME: Final = "TICKBUS_VENUE__API_KEY"
SECRET_NAME: Final = "TICKBUS_VENUE__SECRET"  # noqa: S105 - the name of a variable, not a secret
FIRST_ACCOUNT: Final = 1
TOKEN_FILE: Final = "admin.token"  # noqa: S105 - the name of a file
TOKEN_HEADER: Final = "X-Admin-Token"  # noqa: S105 - the name of a header
ADMIN_PREFIX: Final = "/admin/v1"

_KEY_LENGTH: Final = 64
_KEY_ALPHABET: Final = string.ascii_letters + string.digits
_KEY_FORMAT = re.compile(rf"[A-Za-z0-9]{{{_KEY_LENGTH}}}", re.ASCII)


class KeyFileError(MendableError):
    """The file of keys cannot be trusted or read; the text is one line for the user."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An API key and its secret; the secret is never printed."""

    api_key: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair(api_key='{self.api_key[:4]}...')"

    @classmethod
    def generate(cls) -> "KeyPair":
        """Return a new random pair, spelt as Binance spells them: 64 letters and digits each."""
        return cls(_random_text(), _random_text())


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An API key whose holder signs with an Ed25519 or RSA key; we know its public half."""

    api_key: str
    public_key: Ed25519PublicKey | RSAPublicKey


Key = KeyPair | PublicKey


class Accounts:
    """The accounts of an exchange, found by API key."""

    def __init__(self, keys: Mapping[int, KeyPair]) -> None:
        """Take the pair of keys of each account number; numbers are positive, and are the owners in the engine."""
        self._by_api_key: dict[str, tuple[int, Key]] = {}
        for number, pair in keys.items():
            self.add(number, pair)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The account numbers, lowest first."""
        return tuple(sorted({number for number, _ in self._by_api_key.values()}))

    def add(self, number: int, key: Key) -> None:
        """Let the holder of a key act for an account, besides those who may already."""
        assert number > 0, f"account numbers must be positive, was {number}"
        assert key.api_key not in self._by_api_key, f"two accounts have the same API key: {key!r}"
        self._by_api_key[key.api_key] = number, key

    def api_keys(self, number: int) -> list[str]:
        """Return the API keys that may act for an account."""
        return [api_key for api_key, (owner, _) in self._by_api_key.items() if owner == number]

    def find(self, api_key: str) -> tuple[int, Key] | None:
        """Return the account's number and key, or None for a key that nobody has."""
        return self._by_api_key.get(api_key)


def is_api_key(text: str) -> bool:
    """Say whether `text` is spelt like an API key."""
    return _KEY_FORMAT.fullmatch(text) is not None


def load_or_create_keys(path: Path) -> KeyPair:
    """Return the keys in the file at `path`; make the file, readable by its owner alone, if there is none.

    Raises:
        KeyFileError: if others may read the file, or if it does not hold both keys.
    """
    try:
        return create_keys(path)
    except FileExistsError:
        return load_keys(path)


def create_keys(path: Path) -> KeyPair:
    """Return new keys, and write them to a file at `path`; raise FileExistsError if there is one."""
    pair = KeyPair.generate()
    write_new(path, f"{API_KEY_NAME}={pair.api_key}\n{SECRET_NAME}={pair.secret}\n".encode("ascii"))
    return pair


def load_or_create_token(path: Path) -> str:
    """Return the token in the file at `path`; make the file, readable by its owner alone, if there is none.

    Raises:
        KeyFileError: if others may read the file, or if it does not hold a token.
    """
    with suppress(FileExistsError):
        write_new(path, f"{_random_text()}\n".encode("ascii"))
    return load_token(path)


def load_token(path: Path) -> str:
    """Return the token in the file at `path`.

    Raises:
        KeyFileError: if there is no such file, others may read it, or it does not hold a token.
    """
    token = _read_private_file(path).strip()
    if not is_api_key(token):
        raise KeyFileError(f"{path}: expected a token of {_KEY_LENGTH} letters and digits")
    return token


def load_keys(path: Path) -> KeyPair:
    """Return the keys in the file at `path`.

    Raises:
        KeyFileError: if there is no such file, others may read it, or it does not hold both keys.
    """
    values = _variables(_read_private_file(path))
    missing = [name for name in (API_KEY_NAME, SECRET_NAME) if not is_api_key(values.get(name, ""))]
    if missing:
        raise KeyFileError(f"{path}: expected {' and '.join(missing)} of {_KEY_LENGTH} letters and digits")
    return KeyPair(values[API_KEY_NAME], values[SECRET_NAME])


def _read_private_file(path: Path) -> str:
    try:
        return read_private_file(path)
    except PrivateFileError as error:
        raise KeyFileError(str(error)) from error


def _variables(text: str) -> dict[str, str]:
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _random_text() -> str:
    return "".join(secrets.choice(_KEY_ALPHABET) for _ in range(_KEY_LENGTH))
