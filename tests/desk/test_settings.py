"""Settings: where values come from, and that errors come all at once."""

from decimal import Decimal
from pathlib import Path

import pytest

from desk.client import known_symbol
from desk.old_settings import OLD as OLD_SETTINGS
from desk.sections import flow_in_short
from desk.settings import (
    SettingsError,
    environment_name,
    load_kept_settings,
    load_settings,
    named_run_dir,
    setting_texts,
)
from desk.strategy import quoting_model
from desk.symbols import DEFAULT_ROWS
from engine.capacity import ORDERS_MAX_LIMIT, PAGES_MAX_LIMIT, Capacity
from market.depth import Depth, Level
from market.instrument import venue_spelling
from market.limits import ID_MAX
from nodes.engine.making import engine_capacity
from nodes.gateway.limits import session_limits
from paper.delay import DELAY_MS_MAX, Delay
from trading.models import MODELS
from trading.order_rules import OrderRules
from trading.quoting import Estimates, Market


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
    sources = "'synthetic', 'replay', 'live' or 'none'"
    assert f"flow.source: expected {sources}, was 'storm' (from command line)" in lines


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("TICKBUS_MAKER__NOTOINAL", "5", "TICKBUS_MAKER__NOTOINAL: no such setting; `python cli.py config show` lists"),
        ("TICKBUS_MAKER", "{}", "TICKBUS_MAKER: no such setting; `python cli.py config show` lists them"),
        ("TICKBUS_SYMBOLS", "SOLUSDT", "symbols: expected JSON, was 'SOLUSDT' (from environment): Expecting value: "),
        ("TICKBUS_SYMBOLS", "{}", "symbols: expected a list (from environment)"),
        (
            "TICKBUS_SYMBOLS",
            '["SOLUSDT"]',
            "symbols.0: expected a table, was 'SOLUSDT' (from environment)",
        ),
    ],
)
def test_a_variable_that_is_none_is_one_line(name: str, value: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt one was two lines, and one with bad JSON a traceback."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    (said,) = str(caught.value).splitlines()
    assert said.startswith(line)


def test_a_bad_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in errors, not in the list of values."""
    monkeypatch.setenv("TICKBUS_VENUE__SECRET", "hush")
    monkeypatch.setenv("TICKBUS_VENUE__NAME", "mainnet")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hush" not in str(caught.value)
    monkeypatch.delenv("TICKBUS_VENUE__NAME")
    assert "hush" not in repr(list(load_settings().values()))


@pytest.mark.parametrize("key", ["maker.notional", "flow.speed"])
@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "1e400", ""])
def test_numbers_that_are_none_are_refused(key: str, text: str) -> None:
    """`if not 0 < x`: NaN fails, too."""
    with pytest.raises(SettingsError, match=key):
        load_settings({key: text})


@pytest.mark.parametrize("key", ["half_spread", "notional", "inventory", "volatility", "arrival_rate"])
def test_what_models_divide_by_is_not_so_small_that_they_cannot(key: str) -> None:
    """A maker that was given a volatility of 1e-200 died of it at each start."""
    with pytest.raises(SettingsError, match=f"maker.{key}"):
        load_settings({f"maker.{key}": "1e-200"})
    depth = Depth((Level(9_138_400, 1),), (Level(9_138_600, 1),))
    instrument = DEFAULT_ROWS[0].instrument(0)
    for name in MODELS:
        settings = load_settings({f"maker.{key}": "1e-24", "maker.skew": "0.4", "maker.model": name}).settings
        for position in (Decimal(-1), Decimal(1)):
            quoting_model(settings).quotes(Market(instrument, OrderRules(), depth, position, Estimates(0.1)))


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


@pytest.mark.parametrize("path", ["/prefix", "/api", "/api/v3/", "//"])
def test_a_path_behind_the_venue_s_host_is_refused(path: str) -> None:
    """It was left out without a word, and another exchange asked than was meant."""
    with pytest.raises(SettingsError, match=r"venue\.url: expected http\(s\)://HOST .* begin at its root"):
        load_settings({"venue.url": f"http://127.0.0.1:8084{path}"})
    assert load_settings({"venue.url": "http://127.0.0.1:8084/"}).settings.venue.url == "http://127.0.0.1:8084"


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
    shown = {name: text for name, text, _ in load_settings({key: "~/desk"}).values()}
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


@pytest.mark.parametrize(("text", "more"), [('flow = "x"', "flow.seed"), ("bus = 3", "bus.channels.feed")])
def test_a_value_in_the_place_of_a_table_is_one_line(text: str, more: str) -> None:
    """Also where another source says something of that table, which was a traceback."""
    Path("tickbus.toml").write_text(text)
    key = text.partition(" ")[0]
    with pytest.raises(SettingsError, match=rf"^{key}: expected a table, was '?[x3]'? \(from tickbus\.toml\)$"):
        load_settings({more: "1"})


def test_a_run_directory_of_the_environment_needs_no_settings_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes before the file, which therefore may be broken."""
    Path("tickbus.toml").write_text("[maker\n")
    monkeypatch.setenv("TICKBUS_RUN_DIR", "there")
    assert named_run_dir(None) == Path("there")


def test_settings_are_frozen() -> None:
    """Nobody changes a setting under a running node."""
    settings = load_settings().settings
    with pytest.raises(ValueError, match="frozen"):
        settings.maker.notional = Decimal(1)


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
    assert ("symbols", "BTCUSDT, ETHUSDT, BNBUSDT, SOLUSDT", "tickbus.toml") in list(load_settings().values())


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
    """Of the desk, and a row without the rules that a new pair needs."""
    with pytest.raises(SettingsError, match="symbol: expected one of BTCUSDT, ETHUSDT, BNBUSDT, was 'DOGEUSDT'"):
        load_settings({"symbol": "DOGEUSDT"})
    with pytest.raises(SettingsError) as refusal:
        load_settings({"symbols": [{"symbol": "DOGEUSDT", "qty_max": 1}]})
    missing = ("base", "quote", "tick_size", "lot_size")
    assert str(refusal.value).splitlines() == [
        f"symbols.0.{key}: expected a value, there is none (from command line)" for key in missing
    ]
    Path("tickbus.toml").write_text(SOLUSDT + SOLUSDT)
    with pytest.raises(SettingsError, match=r"symbols: expected each symbol once \(from tickbus.toml\)"):
        load_settings()


def test_what_the_engine_holds_is_a_setting() -> None:
    """Symbols, orders and pages of levels reach the engine; more than it can hold is refused before it starts."""
    Path("tickbus.toml").write_text(
        '[[symbols]]\nsymbol = "ADAUSDT"\nbase = "ADA"\nquote = "USDT"\ntick_size = "0.0001"\nlot_size = "0.1"\n'
        "[engine]\norders_max = 100\npages_max = 7\n"
    )
    assert engine_capacity(load_settings().settings, "engine") == Capacity(symbol_count=4, orders_max=100, pages_max=7)
    for key, largest in (("engine.orders_max", ORDERS_MAX_LIMIT), ("engine.pages_max", PAGES_MAX_LIMIT)):
        Capacity(1, **{key.removeprefix("engine."): largest})
        with pytest.raises(SettingsError, match=f"less than or equal to {largest}"):
            load_settings({key: largest + 1})


def test_a_known_pair_gives_just_what_differs() -> None:
    """However it is spelt; the others keep their rules, their ids and their mids."""
    Path("tickbus.toml").write_text('[[symbols]]\nsymbol = "eth/usdt"\nlot_size = "0.001"\n')
    btc, eth, bnb = DEFAULT_ROWS
    assert load_settings().settings.symbols == (btc, eth.model_copy(update={"lot_size": Decimal("0.001")}), bnb)


def test_limits_of_orders_stand_in_the_row_of_a_symbol() -> None:
    """The gateway's own number is for all without one, in the file as a number too, down to a millionth."""
    Path("tickbus.toml").write_text(
        "[gateway]\nprice_band = 1e-6\nnotional_max = 1000\n"
        '[[symbols]]\nsymbol = "ETHUSDT"\nnotional_max = "50.5"\nprice_band = 0\n'
        '[[symbols]]\nsymbol = "BNBUSDT"\nnotional_max = 0\nprice_band = 0.1\n'
        '[[symbols]]\nsymbol = "BTCUSDT"\nqty_max = 2\n'
    )
    settings = load_settings().settings
    btc, eth, bnb = session_limits(settings.gateway, settings.symbols).symbols
    units = [instrument.notional_unit for instrument in settings.instruments]
    assert (btc.notional_max * units[0], eth.notional_max * units[1]) == (Decimal(1_000), Decimal("50.5"))
    assert bnb.notional_max == ID_MAX
    assert [each.price_band for each in (btc, eth, bnb)] == [Decimal("0.000001"), 0, Decimal("0.1")]
    assert btc.qty_lots_max * settings.instruments[0].lot_size == 2
    assert eth.qty_lots_max == bnb.qty_lots_max == ID_MAX


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("price_band", "1", "expected less than 1"),
        ("price_band", "0.0000001", "no more than 6 decimal places"),  # it would be rounded to any price
        ("price_band", "-0.1", "expected greater than or equal to 0"),
        ("price_band", "nan", "expected a finite number"),
        ("price_band", "much", "expected a valid decimal"),
        ("notional_max", "1000000000001", "expected less than or equal to 1000000000000"),
    ],
)
def test_limits_of_orders_that_are_none_are_refused(key: str, text: str, says: str) -> None:
    """A limit that is read as another one would let through what it was meant to stop; of all, and of a symbol."""
    row = {"symbol": "ETHUSDT", key: text}
    for settings in ({f"gateway.{key}": text}, {"symbols": [row]}):
        with pytest.raises(SettingsError) as refusal:
            load_settings(settings)
        (line,) = str(refusal.value).splitlines()
        assert line.startswith((f"gateway.{key}: ", f"symbols.0.{key}: "))
        assert says in line
        assert f"was {text!r}" in line


@pytest.mark.parametrize("text", ["synthetic:busy", "synthetic:practice", "live:ws://127.0.0.1:8084", "live", "none"])
def test_a_flow_may_be_named_in_short(text: str) -> None:
    """On the command line, where one is meant; and so it is told in a report."""
    assert load_settings(flow_in_short(text)).settings.flow.text == text


def test_a_recording_may_be_named_in_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several are a list, those of one time a list in it; a path may begin at home, where no shell has read it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.touch()
    one = load_settings(flow_in_short("replay:~/a")).settings.flow
    assert (one.source, one.recordings, one.text) == ("replay", ((paths[0],),), f"replay:{paths[0]}")
    Path("tickbus.toml").write_text('[flow]\nsource = "replay"\nrecordings = ["~/a", ["~/b", "~/c"]]\n')
    assert load_settings().settings.flow.recordings == ((paths[0],), (paths[1], paths[2]))
    monkeypatch.setenv("TICKBUS_FLOW__RECORDINGS", '["~/b"]')
    loaded = load_settings()
    assert loaded.settings.flow.recordings == ((paths[1],),)
    assert ("flow.recordings", str(paths[1]), "environment") in list(loaded.values())
    kept = load_kept_settings(setting_texts(loaded.settings), "the desk", {})
    assert kept == loaded.settings.model_copy(update={"run_dir": kept.run_dir})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("storm", "flow.source: expected 'synthetic', 'replay', 'live' or 'none', was 'storm' (from command line)"),
        ("storm:x", "flow.source: expected 'synthetic', 'replay', 'live' or 'none', was 'storm:x' (from command line)"),
        ("none:x", "flow.source: expected 'synthetic', 'replay', 'live' or 'none', was 'none:x' (from command line)"),
        (
            "synthetic:storm",
            "flow.preset: expected 'practice', 'calm', 'normal', 'toxic', 'busy' or 'crash', was 'storm' (from",
        ),
        ("live:http://h", "flow.url: expected ws://HOST:PORT or wss://HOST, was 'http://h' (from command line)"),
        ("replay", "flow: expected recordings to replay, there are none (from command line)"),
        ("replay:x", "flow.recordings.0.0: expected a file, was 'x' (from command line)"),
        (
            "replay:x,y",
            "flow.recordings.0.0: expected a file; several are a list, flow.recordings, was 'x,y'",
        ),
    ],
)
def test_a_flow_that_there_is_not_is_one_line(text: str, line: str) -> None:
    """With what is expected; a text of old with several recordings is told of the list."""
    with pytest.raises(SettingsError) as refusal:
        load_settings(flow_in_short(text))
    (said,) = str(refusal.value).splitlines()
    assert said.startswith(line)


@pytest.mark.parametrize(("low", "high", "delay"), [(0, None, (0, 0)), (5, None, (5, 5)), ("0.5", "0.75", (0.5, 0.75))])
def test_a_delay_is_a_number_or_two(low: object, high: object, delay: tuple[float, float]) -> None:
    """Always the same, or drawn between the two."""
    for way in ("order", "market_data"):
        paper = load_settings({f"paper.{way}_delay_ms": low, f"paper.{way}_delay_ms_max": high}).settings.paper
        assert getattr(paper, f"{way}_delay") == Delay(*delay)


@pytest.mark.parametrize(
    ("low", "high"), [("", None), ("-1", None), ("8", "2"), ("5ms", None), ("nan", None), (str(DELAY_MS_MAX + 1), None)]
)
def test_what_is_no_delay_is_refused(low: str, high: str | None) -> None:
    """Negative, backwards, too long."""
    with pytest.raises(SettingsError, match=r"paper\.order_delay_ms(_max)?: expected ") as refusal:
        load_settings({"paper.order_delay_ms": low, "paper.order_delay_ms_max": high})
    assert len(str(refusal.value).splitlines()) == 1


OLD = [
    ("bus.channels", "feed=listen,snapshots=listen", "a table [bus.channels]"),
    ("paper.order_delay_ms", "2-8", "order_delay_ms_max = 8"),
    ("paper.market_data_delay_ms", "0.5-0.75", "market_data_delay_ms_max = 8"),
    ("flow.source", "replay:A,B+C", 'recordings = ["A", "B"]'),
    ("engine.placement", "ETHUSDT=engine2", "a table [[engines]] for each engine"),
    ("gateway.more_ports", "8093,8094", "a table [[gateways]] for each gateway"),
    ("flow.more_symbols", "ETHUSDT=3000,BNBUSDT", "has_flow = true in the table [[symbols]]"),
    ("gateway.qty_max", "BTCUSDT=5,ETHUSDT=100", "qty_max in the table [[symbols]]"),
    ("gateway.price_band", "0.5,ETHUSDT=0.1", "price_band in the table [[symbols]]"),
    ("gateway.notional_max", "10000000,ETHUSDT=50000", "notional_max in the table [[symbols]]"),
]


@pytest.mark.parametrize(("key", "text", "instead"), OLD, ids=[key for key, _, _ in OLD])
def test_what_was_written_in_another_way_is_refused_with_the_new_one(
    key: str, text: str, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, wherever it stands; a desk that is upgraded says what to do."""
    section, _, name = key.partition(".")

    def refusal(overrides: dict[str, str]) -> str:
        with pytest.raises(SettingsError) as refused:
            load_settings(overrides)
        (line,) = str(refused.value).splitlines()
        assert line.startswith(f"{key}: ")
        assert instead in line
        return line

    assert refusal({key: text}).endswith("(from command line)")
    Path("tickbus.toml").write_text(f'[{section}]\n{name} = "{text}"\n')
    assert refusal({}).endswith("(from tickbus.toml)")
    Path("tickbus.toml").unlink()
    monkeypatch.setenv(environment_name(key), text)
    assert refusal({}).endswith("(from environment)")


def test_every_old_setting_is_tried() -> None:
    """The table of them is the one place where they are told."""
    assert set(OLD_SETTINGS) == {key for key, _, _ in OLD}


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


def test_a_misspelt_setting_says_which_one_may_be_meant(tmp_path: Path) -> None:
    """`set` did so, and `up --set` not."""
    with pytest.raises(SettingsError, match=r"half_spred: no such setting .*; did you mean maker\.half_spread\?$"):
        load_settings({"run_dir": tmp_path, "maker.half_spred": "0.001"})


def test_number_is_told_as_a_person_types_it() -> None:
    """`set maker.half_spread=0.00000001` was answered with `1E-8`, and so was `config show`."""
    loaded = load_settings({"maker.half_spread": "0.00000001", "flow.toxicity": "0.000001"})
    texts = setting_texts(loaded.settings)
    assert (texts["maker.half_spread"], texts["flow.toxicity"]) == ("0.00000001", "0.000001")
    assert [text for key, text, _ in loaded.values() if key == "maker.half_spread"] == ["0.00000001"]
