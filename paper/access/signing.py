"""Signed requests: whose they are, and whether they are fresh (Binance Spot, "Request Security")."""

import base64
import hmac
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from paper.access.accounts import Accounts, Key, KeyPair, is_api_key
from paper.errors import ErrorKind, ExchangeError
from paper.intervals import MICROSECONDS_FROM, US_PER_MS

RECV_WINDOW_US_DEFAULT: Final = 5_000_000
RECV_WINDOW_US_MAX: Final = 60_000_000

_AHEAD_US_MAX: Final = 1_000_000
_NOBODYS_KEYS: Final = KeyPair("0" * 64, "0" * 64)


def sign(payload: str, secret: str) -> str:
    """Return the HMAC-SHA256 of `payload`, hexadecimal."""
    return hmac.digest(secret.encode(), payload.encode(), "sha256").hex()


def signed_payload(query: str, body: str) -> str:
    """Return what a client has signed: the raw query and the raw body, one after the other, without the signature."""
    return _without_signature(query) + _without_signature(body)


def authenticate(accounts: Accounts, api_key: str, payload: str, signature: str) -> int:
    """Return the number of the account that signed `payload`.

    A key that nobody has takes the same path as a known one, so that the time of the answer tells nothing.

    Raises:
        ExchangeError: BAD_API_KEY_FORMAT, REJECTED_API_KEY, or BAD_SIGNATURE.
    """
    if not is_api_key(api_key):
        raise ExchangeError(ErrorKind.BAD_API_KEY_FORMAT)
    found = accounts.find(api_key)
    number, key = found if found is not None else (0, _NOBODYS_KEYS)
    is_right = _is_signature(key, payload, signature)
    if found is None:
        raise ExchangeError(ErrorKind.REJECTED_API_KEY)
    if not is_right:
        raise ExchangeError(ErrorKind.BAD_SIGNATURE)
    return number


def check_timestamp(timestamp: int, recv_window_us: int, now_us: int) -> None:
    """Check that a request is neither from the future nor too old.

    Args:
        timestamp: the client's time, ms or µs since 1970 UTC.
        recv_window_us: how old it may be, µs.
        now_us: the exchange's time, µs since 1970 UTC.

    Raises:
        ExchangeError: BAD_RECV_WINDOW, TIMESTAMP_AHEAD, or TIMESTAMP_TOO_OLD.
    """
    if recv_window_us > RECV_WINDOW_US_MAX:
        raise ExchangeError(ErrorKind.BAD_RECV_WINDOW)
    # Clients round down to their unit, so the exchange's time is taken in the same unit.
    unit_us = 1 if timestamp >= MICROSECONDS_FROM else US_PER_MS
    at_us, now_us = timestamp * unit_us, now_us // unit_us * unit_us
    if at_us >= now_us + _AHEAD_US_MAX:
        raise ExchangeError(ErrorKind.TIMESTAMP_AHEAD)
    if now_us - at_us > recv_window_us:
        raise ExchangeError(ErrorKind.TIMESTAMP_TOO_OLD)


def _is_signature(key: Key, payload: str, signature: str) -> bool:
    """Say whether the holder of a key made the signature: hexadecimal in either case, or base64 for Ed25519 and RSA."""
    if isinstance(key, KeyPair):
        return hmac.compare_digest(sign(payload, key.secret).encode(), signature.lower().encode())
    try:
        decoded = base64.b64decode(signature, validate=True)
        if isinstance(key.public_key, RSAPublicKey):
            key.public_key.verify(decoded, payload.encode(), PKCS1v15(), SHA256())
        else:
            key.public_key.verify(decoded, payload.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def _without_signature(part: str) -> str:
    return "&".join(pair for pair in part.split("&") if not pair.startswith("signature="))
