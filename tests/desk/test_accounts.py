"""The accounts command against a real desk, and what the tracker makes of a reset."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paper.access.accounts import KeyPair, load_keys
from tests.desk.desk_process import BTCUSDT, Desk, short_directory, until
from venues.venue import VenueRefusedError

PAIR = "BTC/USDT"
BARE = ("--without", "flow", "--without", "maker", "--without", "api", "--without", "gateway")


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A desk without flow and maker, whose tracker writes often."""
    with short_directory() as folder:
        running = Desk(folder / "run", *BARE, TICKBUS_TRACKER__INTERVAL_S="0.2")
        try:
            yield running.start()
            running.stop()
        finally:
            running.end()


def trader(desk: Desk, keys: KeyPair) -> Any:
    """Return a ccxt client of an account."""
    client: Any = desk.venue_of(keys)._exchange
    client.options["fetchMarkets"] = {"types": ["spot"]}
    return client


def report(desk: Desk) -> Any:
    """Return the day's file."""
    (path,) = (desk.run_dir / "reports").glob("performance_????????.json")
    return json.loads(path.read_text())


def test_lists_creates_and_funds_accounts(desk: Desk) -> None:
    """In words and as JSON; the secret of a new account stays in its file."""
    made = desk.cli_json("accounts", "create")
    keys = load_keys(Path(made["keys"]))
    assert (keys.api_key, keys.secret in json.dumps(made)) == (made["apiKey"], False)
    before = desk.venue_of(keys).balances()["USDT"].total
    funded = desk.cli("accounts", "fund", str(made["account"]), "usdt", "100.5")
    assert (funded.returncode, funded.stdout) == (0, f"account {made['account']} has 10100.50000000 USDT free\n")
    assert desk.venue_of(keys).balances()["USDT"].total - before == 100.5
    listed = {each["account"]: each for each in desk.cli_json("accounts")}
    assert listed[made["account"]]["balances"]["USDT"] == "10100.50000000"
    text = desk.cli("accounts").stdout
    assert f"{keys.api_key[:8]}..." in text
    assert keys.api_key not in text
    assert text.endswith(f"Total Accounts: {len(listed)}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fund", "99", "USDT", "1"), "the paper exchange refused: there is no account 99"),
        (("fund", "1", "USDT", "1e3"), 'the paper exchange refused: expected {"asset": "USDT", "amount": "100.5"}'),
    ],
)
def test_says_in_one_line_what_is_wrong(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    """And leaves with code 1."""
    result = desk.cli("accounts", *arguments)
    assert (result.returncode, result.stderr) == (1, f"error: {said}\n")


def test_says_that_no_exchange_answers(tmp_path: Path) -> None:
    """Nothing has ever run here."""
    result = Desk(tmp_path).cli("accounts")
    assert result.returncode == 3
    assert result.stderr.startswith(f"error: no desk runs in {tmp_path}; start it with: ")


def test_reset_asks_first(desk: Desk) -> None:
    """A wrong number would forget the orders, trades and balances of another account."""
    result = desk.cli("accounts", "reset", "1")
    assert result.returncode == 1
    assert "Forget the orders, trades and balances of account 1? [y/N]" in result.stderr
    assert [each["resets"] for each in desk.cli_json("accounts") if each["account"] == 1] == [0]


def test_the_tracker_tells_of_a_reset_and_starts_its_figures_anew(desk: Desk) -> None:
    """Else the PnL would hold trades of an account that is gone, and balances that nobody traded for."""
    made = desk.cli_json("accounts", "create")
    mine = trader(desk, load_keys(desk.run_dir / "paper" / "keys.env"))
    theirs = trader(desk, load_keys(Path(made["keys"])))
    theirs.create_order(PAIR, "limit", "sell", 0.02, 90_000)
    mine.create_order(PAIR, "limit", "buy", 0.01, 90_000)
    until("the tracker has the trade", lambda: report(desk)["total_trades"] == 1)
    result = desk.cli_json("accounts", "reset", "1", "--yes")
    document = until("the tracker has the reset", lambda: (found := report(desk))["resets"] and found)
    assert (document["total_trades"], document["trades"]["pnl"]) == (0, 0)
    assert document["account_id"] == str(result["uid"])
    assert document["reconciliation"] == {"is_exact": True, "trades_since_opening": 0, "differences": {}}
    kept = json.loads((desk.run_dir / "reports" / document["resets"][0]["kept_as"]).read_text())
    assert kept["total_trades"] == 1
    mine.create_order(PAIR, "limit", "buy", 0.01, 90_000)
    until("the tracker has the new account's trade", lambda: report(desk)["total_trades"] == 1)
    document = report(desk)
    assert len(document["resets"]) == 1
    assert document["reconciliation"]["is_exact"]
    assert "The account was reset" in desk.cli("report").stdout
    with pytest.raises(VenueRefusedError, match="-2013"):
        mine.fetch_order("1", PAIR)
    assert desk.venue().open_orders(BTCUSDT) == []
