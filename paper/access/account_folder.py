"""The keys of all accounts on disk: the first pair in a file of its own, the others in a folder, a file for each key.

`2.env` holds the API key and secret of account 2, as the first file does. `2.pem` holds an Ed25519 or RSA public key
whose holder may act for account 2 too; its API key is the SHA-256 of the key: of an Ed25519 key's 32 bytes, of an RSA
key in DER.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from market.limits import OWNERS_PER_SOURCE
from paper.access.accounts import (
    FIRST_ACCOUNT,
    Accounts,
    KeyFileError,
    KeyPair,
    PublicKey,
    create_keys,
    load_keys,
    load_or_create_keys,
)

_FILE_NAME = re.compile(r"(?P<number>[1-9][0-9]{0,4})\.(?P<kind>env|pem)", re.ASCII)
_PEM_BYTES_MAX: Final = 4_096
_RSA_BITS_MIN: Final = 2_048


class AccountFolder:
    """Where the keys of accounts are kept."""

    def __init__(self, first_file: Path, folder: Path) -> None:
        """Name the file of the first account's keys and the folder of all others'; neither needs to exist."""
        self._first_file = first_file
        self._folder = folder

    def load(self) -> Accounts:
        """Return all accounts with their keys; the first pair is made if it is missing.

        Raises:
            KeyFileError: for a file that others may read, or that does not hold what its name says.
        """
        accounts = Accounts({FIRST_ACCOUNT: load_or_create_keys(self._first_file)})
        for path in sorted(self._folder.glob("[!.]*")):
            match = _FILE_NAME.fullmatch(path.name)
            if match is None or int(match["number"]) >= OWNERS_PER_SOURCE:
                raise KeyFileError(f"{path}: expected a file called NUMBER.env or NUMBER.pem")
            key = load_keys(path) if match["kind"] == "env" else load_public_key(path)
            if accounts.find(key.api_key) is not None:
                raise KeyFileError(f"{path}: another file holds the same key")
            accounts.add(int(match["number"]), key)
        return accounts

    def create(self, accounts: Accounts, taken: Iterable[int]) -> tuple[int, KeyPair]:
        """Make keys for one more account, add it to `accounts`, and return its number and keys.

        Args:
            accounts: those that there are.
            taken: numbers that are not to be used again, for instance of accounts whose keys are gone.

        Raises:
            KeyFileError: if no number is left.
        """
        number = max(*accounts.numbers, *taken, FIRST_ACCOUNT) + 1
        if number >= OWNERS_PER_SOURCE:
            raise KeyFileError(f"expected at most {OWNERS_PER_SOURCE - 1} accounts")
        pair = create_keys(self._folder / f"{number}.env")
        accounts.add(number, pair)
        return number, pair


def load_public_key(path: Path) -> PublicKey:
    """Return the Ed25519 or RSA public key in the PEM file at `path`.

    Raises:
        KeyFileError: if it holds something else, or an RSA key that is too short.
    """
    try:
        key = load_pem_public_key(path.read_bytes()[:_PEM_BYTES_MAX])
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: expected an Ed25519 or RSA public key in PEM: {type(error).__name__}") from error
    match key:
        case Ed25519PublicKey():
            said = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        case RSAPublicKey() if key.key_size >= _RSA_BITS_MIN:
            said = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        case _:
            raise KeyFileError(f"{path}: expected an Ed25519 key, or an RSA key of at least {_RSA_BITS_MIN} bits")
    return PublicKey(hashlib.sha256(said).hexdigest(), key)
