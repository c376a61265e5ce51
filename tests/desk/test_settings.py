"""Settings: where values come from, and that errors come all at once."""

from decimal import Decimal
from pathlib import Path

import pytest

from desk.client import known_symbol
from desk.settings import SettingsError, environment_of, load_settings
from engine.capacity import ORDERS_MAX_LIMIT, PAGES_MAX_LIMIT, Capacity
from market.instrument import venue_spelling
from market.limits import ID_MAX
from nodes.engine.node import engine_capacity
from nodes.gateway.limits import session_limits


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("TICKBUS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_later_sources_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """tickbus.toml, then the environment, then the command line."""
    Path("tickbus.toml").write_text("[api]\nport = 1\n[gateway]\nport = 1\n[paper]\nport = 1\n")
    monkeypatch.setenv("TICKBUS_GATEWAY__PORT", "2")
    monkeypatch.setenv("TICKBUS_PAPER__PORT", "2")
    settings, origins = load_settings({"paper.port": 3, "api.host": None})
    assert (settings.api.port, settings.gateway.port, settings.paper.port) == (1, 2, 3)
    assert origins == {"api.port": "tickbus.toml", "gateway.port": "environment", "paper.port": "command line"}


def test_all_errors_come_at_once_with_key_value_and_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person mends a file once, not once an error."""
    Path("tickbus.toml").write_text('[maker]\nhalf_spread = "wide"\nfoo = 1\n[venue]\napi_key = "k"\n')
    monkeypatch.setenv("TICKBUS_API__PORT", "99999")
    monkeypatch.setenv("TICKBUS_NOPE", "1")
    with pytest.raises(SettingsError) as caught:
        load_settings({"flow.source": "storm"})
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in sorted(lines)] == [
        "TICKBUS_NOPE", "api.port", "flow.source", "maker.foo", "maker.half_spread", "venue.api_key",
    ]  # fmt: skip
    assert "api.port: expected less than or equal to 65535, was '99999' (from environment)" in lines
    sources = "synthetic, synthetic:PRESET, replay:FILE,..., live, live:URL or none"
    assert f"flow.source: expected {sources}, was 'storm' (from command line)" in lines


def test_a_bad_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in errors, not in the list of values."""
    monkeypatch.setenv("TICKBUS_VENUE__SECRET", "hush")
    monkeypatch.setenv("TICKBUS_VENUE__NAME", "mainnet")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hush" not in str(caught.value)
    monkeypatch.delenv("TICKBUS_VENUE__NAME")
    assert "hush" not in repr(list(load_settings().values()))


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "1e400", ""])
def test_numbers_that_are_none_are_refused(text: str) -> None:
    """`if not 0 < x`: NaN fails, too."""
    with pytest.raises(SettingsError, match=r"maker\.notional"):
        load_settings({"maker.notional": text})


@pytest.mark.parametrize(
    "url",
    [
        "https://api.binance.com", "https://api1.binance.com", "https://api.binance.us", "https://API.Binance.COM",
        "https://data-api.binance.vision", "https://api.binance.com.", "https://api.binance.com.:443",
        "HTTPS://api.binance.me", "https://api.binance.th", "https://api.binance.tr", "https://api.binance.je",
        "https://testnet.binance.com", "https://testnet.api.binance.com", "https://binance.com",
        "https://demo-.api.binance.com", "https://www.tokocrypto.com", "https://www.trbinance.com",
    ],
)  # fmt: skip
def test_real_money_is_out_of_reach(url: str) -> None:
    """The desk trades at testnets and look-alikes; a slip of the URL must not reach the exchange itself."""
    with pytest.raises(SettingsError, match="real money"):
        load_settings({"venue.url": url})


@pytest.mark.parametrize(
    "url",
    [
        "https://api%2Ebinance.com", "https://\uff42inance.com", "https://api.binance\u3002com", "https://x@host.example",
        "https://127.0.0.1\\@api.example", "https://host.example?api", "https://host.example#api", "https://[::1",
        "https://host.example:99999", "https://..", "https://-\u00ad-.example",
    ],
)  # fmt: skip
def test_a_host_that_two_programs_may_read_differently_is_refused(url: str) -> None:
    """What we compare must be what is connected to."""
    with pytest.raises(SettingsError, match=r"venue\.url: expected"):
        load_settings({"venue.url": url})


def test_practice_is_in_reach_and_keys_leave_the_machine_encrypted_only() -> None:
    """Testnets, look-alikes and this machine's other desks; written in another way they are the same."""
    for practice in (
        "https://testnet.binance.vision", "https://demo-api.binance.com", "http://127.0.0.1:8084", "http://[::1]:8084",
        "http://localhost:1", "https://10.0.0.5:8084", "https://venue.example",
    ):  # fmt: skip
        assert load_settings({"venue.url": practice}).settings.venue.url == practice
    assert load_settings({"venue.url": "HTTPS://Venue.Example.:443"}).settings.venue.url == "https://venue.example:443"
    for clear in ("http://10.0.0.5:8084", "http://venue.example", "http://0.0.0.0:8084"):
        with pytest.raises(SettingsError, match="expected https"):
            load_settings({"venue.url": clear})


@pytest.mark.parametrize(
    "key", ["run_dir", "tracker.folder", "bus.keys_file", "bus.allowed_file", "gateway.tokens_file"]
)
def test_every_path_may_begin_at_home(key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`run_dir = "~/desk"` in a file, where no shell reads it, made a folder that is called `~`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = {value.key: value.text for value in load_settings({key: "~/desk"}).values()}
    assert shown[key] == str(tmp_path / "desk")
    with pytest.raises(SettingsError, match=f"{key}: expected a path"):
        load_settings({key: "~nobody-of-this-name/desk"})


def test_a_run_directory_that_cannot_be_one_is_one_line(tmp_path: Path) -> None:
    """A file in its place was a traceback."""
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SettingsError, match=f"run_dir: expected a folder, and {tmp_path}/file is none"):
            load_settings({"run_dir": path})


def test_broken_toml_is_one_error() -> None:
    """With the file's name and the place."""
    Path("tickbus.toml").write_text("[maker\n")
    with pytest.raises(SettingsError, match=r"tickbus\.toml: expected TOML"):
        load_settings()


def test_settings_are_frozen() -> None:
    """Nobody changes a setting under a running node."""
    settings = load_settings().settings
    with pytest.raises(ValueError, match="frozen"):
        settings.maker.notional = Decimal(1)


def test_overrides_become_environment_variables() -> None:
    """This is how the supervisor hands the command line on to its nodes."""
    assert environment_of({"maker.half_spread": "0.1", "run_dir": Path("x"), "symbol": None}) == {
        "TICKBUS_MAKER__HALF_SPREAD": "0.1",
        "TICKBUS_RUN_DIR": "x",
    }


SOLUSDT = """[[symbols]]
symbol = "SOLUSDT"
base = "SOL"
quote = "USDT"
tick_size = "0.01"
lot_size = "0.001"
maker_fee = "0.0002"
"""


def test_symbols_are_added_and_changed_by_configuration() -> None:
    """The default ones keep their ids, so an added one never renumbers a journal's."""
    changed = SOLUSDT.replace("SOL", "ETH", 3).replace('"0.01"', '"0.1"')
    Path("tickbus.toml").write_text(f'symbol = "SOLUSDT"\n{SOLUSDT}{changed}')
    settings = load_settings().settings
    assert [(each.symbol_id, each.symbol, str(each.tick_size)) for each in settings.instruments] == [
        (0, "BTCUSDT", "0.01"), (1, "ETHUSDT", "0.1"), (2, "BNBUSDT", "0.01"), (3, "SOLUSDT", "0.01"),
    ]  # fmt: skip
    assert settings.instrument.symbol == "SOLUSDT"
    assert ("symbols", "SOLUSDT, ETHUSDT", "tickbus.toml") in list(load_settings().values())


def test_symbols_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON, which is how an operator of containers gives lists."""
    row = '{"symbol": "SOLUSDT", "base": "SOL", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.001"}'
    monkeypatch.setenv("TICKBUS_SYMBOLS", f"[{row}]")
    assert load_settings({"symbol": "SOLUSDT"}).settings.instrument.base == "SOL"


def test_a_bad_symbol_is_told_with_its_place() -> None:
    """A tick times a lot must be a whole number of the units that money is counted in."""
    Path("tickbus.toml").write_text(SOLUSDT.replace('"0.01"', '"0.000001"') + SOLUSDT.replace("SOLU", "SOL"))
    with pytest.raises(SettingsError) as caught:
        load_settings({"symbol": "DOGE USDT"})
    lines = sorted(str(caught.value).splitlines())
    assert [line.split(":")[0] for line in lines] == ["symbol", "symbols.0"]
    assert lines[1] == "symbols.0: expected tick_size x lot_size to be a multiple of 0.00000001 (from tickbus.toml)"


def test_a_symbol_that_nobody_trades_is_refused() -> None:
    """Of the desk, and in the gateway's limits."""
    with pytest.raises(SettingsError, match="symbol: expected one of BTCUSDT, ETHUSDT, BNBUSDT, was 'DOGEUSDT'"):
        load_settings({"symbol": "DOGEUSDT"})
    with pytest.raises(
        SettingsError, match=r"gateway: qty_max: expected SYMBOL=QUANTITY.*, was 'DOGEUSDT=1' \(from comm"
    ):
        load_settings({"gateway.qty_max": "DOGEUSDT=1"})
    Path("tickbus.toml").write_text(SOLUSDT + SOLUSDT)
    with pytest.raises(SettingsError, match=r"symbols: expected each symbol once \(from tickbus.toml\)"):
        load_settings()


def test_what_the_engine_holds_is_a_setting() -> None:
    """Symbols, orders and pages of levels reach the engine; more than it can hold is refused before it starts."""
    Path("tickbus.toml").write_text(
        '[[symbols]]\nsymbol = "ADAUSDT"\nbase = "ADA"\nquote = "USDT"\ntick_size = "0.0001"\nlot_size = "0.1"\n'
        "[engine]\norders_max = 100\npages_max = 7\n"
    )
    assert engine_capacity(load_settings().settings) == Capacity(symbol_count=4, orders_max=100, pages_max=7)
    for key, largest in (("engine.orders_max", ORDERS_MAX_LIMIT), ("engine.pages_max", PAGES_MAX_LIMIT)):
        Capacity(1, **{key.removeprefix("engine."): largest})
        with pytest.raises(SettingsError, match=f"less than or equal to {largest}"):
            load_settings({key: largest + 1})


def test_limits_of_orders_are_given_by_symbol() -> None:
    """A number alone is for all, in the file as a number too; each symbol may have its own, down to a millionth."""
    Path("tickbus.toml").write_text(
        '[gateway]\nprice_band = 1e-6\nnotional_max = "1000,ETHUSDT=50.5,BNBUSDT=0"\nqty_max = "BTCUSDT=2"\n'
    )
    settings = load_settings().settings
    btc, eth, bnb = session_limits(settings.gateway, settings.instruments).symbols
    units = [instrument.notional_unit for instrument in settings.instruments]
    assert (btc.notional_max * units[0], eth.notional_max * units[1]) == (Decimal(1_000), Decimal("50.5"))
    assert bnb.notional_max == ID_MAX
    assert btc.price_band == eth.price_band == Decimal("0.000001")
    assert btc.qty_lots_max * settings.instruments[0].lot_size == 2
    settings = load_settings({"gateway.price_band": "0.5,ETHUSDT=0.1"}).settings
    bands = [each.price_band for each in session_limits(settings.gateway, settings.instruments).symbols]
    assert bands == [Decimal("0.5"), Decimal("0.1"), Decimal("0.5")]


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("price_band", "1", "price_band: expected fractions of less than 1"),
        ("price_band", "0.1,ETHUSDT=1.5", "price_band: expected fractions of less than 1"),
        ("price_band", "0.0000001", "with at most 6 decimals"),  # it would be rounded to any price
        ("price_band", "-0.1", "price_band: expected NUMBER,SYMBOL=NUMBER,... with each symbol once"),
        ("price_band", "nan", "price_band: expected NUMBER,"),
        ("price_band", "ETHUSDT=0.1", "price_band: expected NUMBER,"),
        ("price_band", "0.1,ETHUSDT=0.1,ETHUSDT=0.2", "price_band: expected NUMBER,"),
        ("price_band", "0.1,DOGEUSDT=0.1", "price_band: expected SYMBOL=QUANTITY,... with BTCUSDT, "),
        ("notional_max", "1000000000001", "notional_max: expected at most 1000000000000"),
        ("notional_max", "5,DOGEUSDT=1", "notional_max: expected SYMBOL=QUANTITY,... with BTCUSDT, "),
    ],
)
def test_limits_of_orders_that_are_none_are_refused(key: str, text: str, says: str) -> None:
    """A limit that is read as another one would let through what it was meant to stop."""
    with pytest.raises(SettingsError) as refusal:
        load_settings({f"gateway.{key}": text})
    (line,) = str(refusal.value).splitlines()
    assert says in line
    assert f"was {text!r}" in line


@pytest.mark.parametrize("text", ["btcusdt", "BTC/USDT", "btc-usdt", "Btc_Usdt", " BTCUSDT "])
def test_a_symbol_may_be_written_as_people_write_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a symbol is asked for: on the command line, in the environment, in the file."""
    assert venue_spelling(text) == load_settings({"symbol": text}).settings.symbol == "BTCUSDT"
    assert known_symbol(load_settings().settings, text) == "BTCUSDT"
    monkeypatch.setenv("TICKBUS_SYMBOL", text)
    assert load_settings().settings.symbol == "BTCUSDT"


@pytest.mark.parametrize("text", ["BTC/", "/USDT", "B/T/C", "", "BTC//USDT", "BTCUSTD"])
def test_what_is_no_symbol_is_refused_with_a_suggestion(text: str) -> None:
    """The names that the desk knows, and the one that was perhaps meant."""
    with pytest.raises(SettingsError, match="symbol: expected one of BTCUSDT, ETHUSDT, BNBUSDT, was") as refusal:
        known_symbol(load_settings().settings, text)
    assert ("did you mean BTCUSDT?" in str(refusal.value)) == (text == "BTCUSTD" or text == "BTC//USDT")
