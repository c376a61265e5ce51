"""Running accounts: their keys on disk, new ones, deposits, resets, and the check of the books."""

import base64
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import ccxt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from market.clock import time_ns
from paper.access.account_folder import AccountFolder
from paper.access.accounts import TOKEN_HEADER, KeyFileError, load_keys, load_or_create_token
from paper.access.signing import authenticate, sign
from paper.errors import ErrorKind, ExchangeError
from tests.paper.clients import ccxt_settings, listening
from tests.paper.desk import ALICE, BOB
from tests.paper.server import ADMIN_TOKEN, Server
from tests.paper.test_socket_api import PATH, event, subscribed


def ask(server: Server, method: str, path: str, body: object = None, token: str = ADMIN_TOKEN) -> tuple[int, Any]:
    """Send a call and return status and document."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        text = body if isinstance(body, str) else json.dumps(body) if body is not None else None
        connection.request(method, f"/admin/v1/{path}", text, {TOKEN_HEADER: token})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.usefixtures("loopback_only")
def test_a_new_account_trades_at_once(server: Server) -> None:
    """Its keys are in the answer and in a file; it has the starting assets."""
    status, made = ask(server, "POST", "accounts")
    assert (status, made["account"]) == (200, 3)
    client = ccxt.binance(ccxt_settings(server) | {"apiKey": made["apiKey"], "secret": made["secret"]})
    assert client.fetch_balance()["USDT"]["total"] == 10_000
    client.create_order("BTC/USDT", "limit", "buy", 0.01, 90000)
    listed = {each["account"]: each for each in ask(server, "GET", "accounts")[1]}
    assert (listed[3]["apiKeys"], listed[3]["openOrders"]) == ([made["apiKey"]], 1)
    assert len(listed[ALICE]["apiKeys"]) == 2
    assert listed[BOB]["balances"]["BTC"] == "1.00000000"
    checked = ask(server, "GET", "check")[1]
    assert (checked["accounts"], checked["openOrders"]) == (3, 1)
    assert set(checked["totals"].values()) == {"0.00000000"}


def test_an_account_hears_of_its_deposit_and_its_reset(server: Server) -> None:
    """balanceUpdate, as for any other movement."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        body = {"asset": "USDT", "amount": "2.5"}
        assert ask(server, "POST", f"accounts/{ALICE}/deposit", body)[1]["free"] == "10002.50000000"
        assert event(listener, "balanceUpdate")["d"] == "2.50000000"
        assert ask(server, "POST", f"accounts/{ALICE}/reset")[0] == 200
        assert event(listener, "balanceUpdate")["d"] == "-2.50000000"


@pytest.mark.parametrize(
    ("method", "path", "body", "token", "status"),
    [
        ("GET", "accounts", None, "", 401),
        ("POST", "accounts", None, "\u00e9", 401),
        ("POST", "accounts/1/reset", None, "x", 401),
        ("POST", "accounts/99/reset", None, ADMIN_TOKEN, 404),
        ("POST", "accounts/99/deposit", {"asset": "BTC", "amount": "1"}, ADMIN_TOKEN, 404),
        ("POST", "accounts/1/deposit", None, ADMIN_TOKEN, 400),
        ("POST", "accounts/1/deposit", "[" * 10_000, ADMIN_TOKEN, 400),
        ("POST", "accounts/1/deposit", {"asset": "btc", "amount": "1"}, ADMIN_TOKEN, 400),
        ("POST", "accounts/1/deposit", {"asset": 1, "amount": "1"}, ADMIN_TOKEN, 400),
        ("POST", "accounts/1/deposit", {"asset": "BTC", "amount": 1}, ADMIN_TOKEN, 400),
        ("POST", "accounts/1/deposit", {"asset": "BTC", "amount": "-1"}, ADMIN_TOKEN, 400),
        ("POST", "accounts/1/deposit", {"asset": "BTC", "amount": "90000000000"}, ADMIN_TOKEN, 400),
    ],
)
def test_a_call_with_a_fault_is_refused(
    server: Server, method: str, path: str, body: object, token: str, status: int
) -> None:
    """Nothing has changed then."""
    before = ask(server, "GET", "accounts")
    assert ask(server, method, path, body, token)[0] == status
    assert ask(server, "GET", "accounts") == before


def test_accounts_are_found_on_disk_again(tmp_path: Path) -> None:
    """Numbers are not used twice, not even those of accounts whose keys are gone."""
    folder = AccountFolder(tmp_path / "keys.env", tmp_path / "accounts")
    accounts = folder.load()
    assert accounts.numbers == (1,)
    assert folder.create(accounts, taken=())[0] == 2
    number, pair = folder.create(accounts, taken=(1, 2, 6))
    assert number == 7
    assert folder.load().numbers == (1, 2, 7)
    assert load_keys(tmp_path / "accounts" / "7.env") == pair
    assert authenticate(folder.load(), pair.api_key, "a=1", sign("a=1", pair.secret)) == 7


def test_a_public_key_in_the_folder_may_sign(tmp_path: Path) -> None:
    """As `openssl pkey -pubout` writes it."""
    private = Ed25519PrivateKey.generate()
    (tmp_path / "accounts").mkdir()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "accounts" / "1.pem").write_bytes(pem)
    accounts = AccountFolder(tmp_path / "keys.env", tmp_path / "accounts").load()
    assert accounts.numbers == (1,)
    assert len(accounts.api_keys(1)) == 2


def test_an_rsa_key_in_the_folder_may_sign(tmp_path: Path) -> None:
    """base64 of PKCS #1 v1.5 with SHA-256, case-sensitive; nothing else will do."""
    private = generate_rsa_key(65_537, 2_048)
    (tmp_path / "accounts").mkdir()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "accounts" / "2.pem").write_bytes(pem)
    accounts = AccountFolder(tmp_path / "keys.env", tmp_path / "accounts").load()
    (api_key,) = accounts.api_keys(2)
    signature = base64.b64encode(private.sign(b"a=1", PKCS1v15(), SHA256())).decode()
    assert authenticate(accounts, api_key, "a=1", signature) == 2
    for payload, wrong in (("a=2", signature), ("a=1", signature.swapcase()), ("a=1", "AA=="), ("a=1", "?")):
        with pytest.raises(ExchangeError) as caught:
            authenticate(accounts, api_key, payload, wrong)
        assert caught.value.kind is ErrorKind.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "2.pem",
            generate_rsa_key(65_537, 1_024).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        ),
        ("2.txt", b""),
        ("0.env", b""),
        ("99999.env", b""),
        ("2.env", b"TICKBUS_VENUE__API_KEY=short\n"),
        ("2.pem", b"-----BEGIN"),
        (
            "2.pem",
            generate_private_key(SECP256R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        ),
    ],
)
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """One clear line instead of an account that nobody can use."""
    (tmp_path / "accounts").mkdir()
    path = tmp_path / "accounts" / name
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=name):
        AccountFolder(tmp_path / "keys.env", tmp_path / "accounts").load()


def test_two_files_with_one_key_are_refused(tmp_path: Path) -> None:
    """Whose orders would they be?"""
    folder = AccountFolder(tmp_path / "keys.env", tmp_path / "accounts")
    folder.load()
    (tmp_path / "accounts").mkdir()
    copy = tmp_path / "accounts" / "2.env"
    copy.write_bytes((tmp_path / "keys.env").read_bytes())
    copy.chmod(0o600)
    with pytest.raises(KeyFileError, match="the same key"):
        folder.load()


def test_the_admins_token_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """Mode 0600, as the keys."""
    path = tmp_path / "admin.token"
    token = load_or_create_token(path)
    assert load_or_create_token(path) == token
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="0600"):
        load_or_create_token(path)


def test_a_stranger_with_the_admins_token_alone_cannot_trade(server: Server) -> None:
    """The token opens the admin's calls, and nothing else."""
    query = urlencode({"timestamp": time_ns() // 1_000_000})
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    connection.request("GET", f"/api/v3/account?{query}&signature=aa", headers={TOKEN_HEADER: ADMIN_TOKEN})
    assert connection.getresponse().status == 401
    connection.close()
