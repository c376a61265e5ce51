"""Who may act: signatures, timestamps, and the file of keys."""

import os
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper.access.accounts import (
    API_KEY_NAME,
    SECRET_NAME,
    Accounts,
    KeyFileError,
    KeyPair,
    load_keys,
    load_or_create_keys,
)
from paper.access.signing import authenticate, check_timestamp, sign, signed_payload
from paper.calls.parameters import read_texts
from paper.errors import ErrorKind, ExchangeError

KEYS = KeyPair("k" * 64, "s" * 64)
ACCOUNTS = Accounts({7: KEYS})
NOW_MS = 1_770_000_000_000


def test_a_signature_is_the_one_of_binances_documentation() -> None:
    """The worked example of Binance Spot, "Request Security", HMAC keys."""
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    query = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    )
    expected = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert sign(query, secret) == expected


@pytest.mark.parametrize(
    ("query", "body", "payload"),
    [
        ("a=1&signature=ff", "", "a=1"),
        ("signature=ff&a=1", "", "a=1"),
        ("", "a=1&b=2&signature=ff", "a=1&b=2"),
        ("a=1", "b=2&signature=ff", "a=1b=2"),
        ("a=%40&signature=ff", "b=%20", "a=%40b=%20"),
    ],
)
def test_what_is_signed_is_query_and_body_without_the_signature(query: str, body: str, payload: str) -> None:
    """No separator between them, raw as sent."""
    assert signed_payload(query, body) == payload


def test_a_signature_counts_in_either_case() -> None:
    """Hexadecimal digits of an HMAC."""
    signature = sign("a=1", KEYS.secret)
    assert authenticate(ACCOUNTS, KEYS.api_key, "a=1", signature) == 7
    assert authenticate(ACCOUNTS, KEYS.api_key, "a=1", signature.upper()) == 7


@pytest.mark.parametrize(
    ("api_key", "payload", "kind"),
    [
        ("", "a=1", ErrorKind.BAD_API_KEY_FORMAT),
        ("k" * 63, "a=1", ErrorKind.BAD_API_KEY_FORMAT),
        ("k" * 63 + "\u0663", "a=1", ErrorKind.BAD_API_KEY_FORMAT),
        ("x" * 64, "a=1", ErrorKind.REJECTED_API_KEY),
        (KEYS.api_key, "a=2", ErrorKind.BAD_SIGNATURE),
    ],
)
def test_a_caller_without_the_secret_is_refused(api_key: str, payload: str, kind: ErrorKind) -> None:
    """A key that nobody has is not told apart by its signature."""
    with pytest.raises(ExchangeError) as caught:
        authenticate(ACCOUNTS, api_key, payload, sign("a=1", KEYS.secret))
    assert caught.value.kind is kind


@settings(deadline=None)
@given(signature=st.text(max_size=80))
def test_no_other_signature_is_accepted(signature: str) -> None:
    """Whatever text it is, also one that is not ASCII."""
    with pytest.raises(ExchangeError):
        authenticate(ACCOUNTS, KEYS.api_key, "a=1", signature)


@pytest.mark.parametrize(
    ("age_ms", "window_ms", "kind"),
    [
        (0, 5_000, None),
        (5_000, 5_000, None),
        (5_001, 5_000, ErrorKind.TIMESTAMP_TOO_OLD),
        (-999, 5_000, None),
        (-1_000, 5_000, ErrorKind.TIMESTAMP_AHEAD),
        (60_000, 60_000, None),
        (0, 60_001, ErrorKind.BAD_RECV_WINDOW),
        (1, 0, ErrorKind.TIMESTAMP_TOO_OLD),
    ],
)
@pytest.mark.parametrize("unit", [1, 1_000])
def test_a_request_is_neither_old_nor_from_the_future(
    age_ms: int, window_ms: int, kind: ErrorKind | None, unit: int
) -> None:
    """timestamp < now + 1 s and now - timestamp <= recvWindow, in ms or in µs."""
    timestamp = (NOW_MS - age_ms) * unit
    if kind is None:
        check_timestamp(timestamp, window_ms * 1_000, NOW_MS * 1_000)
        return
    with pytest.raises(ExchangeError) as caught:
        check_timestamp(timestamp, window_ms * 1_000, NOW_MS * 1_000)
    assert caught.value.kind is kind


def test_keys_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    """The file is 0600 whatever the umask, and the second start finds the first one's keys."""
    path = tmp_path / "paper" / "keys.env"
    umask = os.umask(0)
    try:
        pair = load_or_create_keys(path)
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_keys(path) == load_keys(path) == pair
    assert [file.name for file in path.parent.iterdir()] == ["keys.env"]
    assert pair.secret not in repr(pair)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_keys_that_others_can_read_are_refused(tmp_path: Path, mode: int) -> None:
    """One line that says what to do."""
    path = tmp_path / "keys.env"
    load_or_create_keys(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=r"mode 0600, was 0.*chmod 600"):
        load_or_create_keys(path)


def test_a_file_without_both_keys_is_refused(tmp_path: Path) -> None:
    """It names what is missing, and never what is there."""
    path = tmp_path / "keys.env"
    path.write_text(f"# mine\n{API_KEY_NAME}={'k' * 64}\n{SECRET_NAME}=short\n")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=f"expected {SECRET_NAME} of 64") as caught:
        load_keys(path)
    assert "short" not in str(caught.value)


def test_a_link_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A link could point at anybody's file."""
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_keys(tmp_path / "keys.env")
    load_or_create_keys(tmp_path / "real.env")
    (tmp_path / "keys.env").symlink_to(tmp_path / "real.env")
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_or_create_keys(tmp_path / "keys.env")


@pytest.mark.parametrize("query", ["a=1&b=x-2", "a=1+2&b=3", "a=%2B1&b=1%202", "%61=%C3%A4", "&a=1&&b=&", "a=b=c", ""])
def test_parameters_are_spelt_as_forms_are(query: str) -> None:
    """Where nothing is encoded nothing is decoded, which must make no difference; the slow reader is Python's own."""
    assert read_texts(query, "") == read_texts("", query) == dict(parse_qsl(query, keep_blank_values=True))
