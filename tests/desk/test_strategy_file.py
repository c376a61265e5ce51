"""A strategy of one's own: how it is found, what its parameters are, and what is said when it cannot be used."""

import re
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from desk import strategy
from desk.settings import load_kept_settings, load_settings, setting_texts
from desk.strategy import check_strategy, strategy_of
from desk.strategy_file import StrategyError, load_strategy
from market.codes import Side
from market.depth import Depth, Level
from tests.docs.programs import ROOT
from tests.pairs import default_instruments
from trading.order_rules import OrderRules
from trading.quoting import Quote
from trading.strategy import Inbox, Wanted

EXAMPLE = ROOT / "examples" / "strategy.py"
BOOK = Depth((Level(9_138_400, 5),), (Level(9_138_600, 5),))
HEAD = """
from market.codes import Side
from trading.quoting import Quote
from trading.strategy import Inbox, Strategy as AnyStrategy, Wanted
"""
STEP = """
def step(now_ns, inbox, *, ticks=5, name="x", is_on=True, part=0.5):
    return Wanted([Quote(Side.BUY, inbox.depth.bids[0].price_ticks - ticks, 1)])
"""
CLASS = """
class Strategy:
    def __init__(self, first: int = 1) -> None:
        self.count = first
    def step(self, now_ns, inbox):
        self.count += 1
        return Wanted([Quote(Side.SELL, 9_999_999, self.count)], wake_ns=now_ns + 1)
"""


def _inbox(position: str | None = None) -> Inbox:
    return Inbox(default_instruments()[0], OrderRules(), BOOK, position=None if position is None else Decimal(position))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the strategy of the test stands."""
    return tmp_path / "mine.py"


def test_default_is_the_model() -> None:
    """Who names no file has the quotes that the desk has always had."""
    wanted = strategy_of(load_settings({}).settings).step(0, _inbox())
    assert list(wanted.quotes) == [Quote(Side.BUY, 9_120_223, 1_094), Quote(Side.SELL, 9_156_777, 1_094)]


def test_example_is_short_and_leans_against_what_is_held() -> None:
    """Under thirty lines, for a trader to read; with a BTC too many it is willing to sell for less."""
    assert len(EXAMPLE.read_text().splitlines()) < 30
    flat = load_strategy(EXAMPLE, {}).step(0, _inbox()).quotes
    assert [(each.side, each.price_ticks, each.qty_lots) for each in flat] == [
        (Side.BUY, 9_129_361, 500),
        (Side.BUY, 9_120_223, 500),
        (Side.SELL, 9_147_639, 500),
        (Side.SELL, 9_156_777, 500),
    ]
    held = load_strategy(EXAMPLE, {"lean": "0.001"}).step(0, _inbox("1")).quotes
    assert all(after.price_ticks < before.price_ticks for before, after in zip(flat, held, strict=True))
    assert len(load_strategy(EXAMPLE, {"steps": "3"}).step(0, _inbox()).quotes) == 6


def test_class_remembers_and_has_its_parameters(path: Path) -> None:
    """Each trader has a strategy of its own."""
    path.write_text(HEAD + CLASS)
    one, other = load_strategy(path, {"first": "7"}), load_strategy(path, {})
    assert [one.step(5, _inbox()).quotes[0].qty_lots for _ in range(2)] == [8, 9]
    assert other.step(5, _inbox()) == Wanted([Quote(Side.SELL, 9_999_999, 2)], wake_ns=6)


def test_settings_name_the_file_and_its_parameters(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From tickbus.toml, and the environment over it; a node that comes back gets them from what the desk has kept."""
    path.write_text(HEAD + STEP)
    monkeypatch.chdir(tmp_path)
    Path("tickbus.toml").write_text('[maker]\nstrategy = "mine.py"\n[maker.parameters]\nticks = 7\nis_on = false\n')
    settings = load_settings({}).settings
    assert strategy_of(settings).step(0, _inbox()).quotes[0].price_ticks == 9_138_393
    monkeypatch.setenv("TICKBUS_MAKER__PARAMETERS__TICKS", "9")
    texts = setting_texts(load_settings({}).settings)
    monkeypatch.chdir("/")
    kept = load_kept_settings(texts, "desk.json", {})
    assert strategy_of(kept).step(0, _inbox()).quotes[0].price_ticks == 9_138_391


def test_file_that_is_not_there_is_one_line() -> None:
    """Not an error of the settings: a desk whose file was moved away must still be stopped by them."""
    with pytest.raises(StrategyError) as told:
        strategy_of(load_settings({"maker.strategy": "nowhere.py"}).settings)
    assert str(told.value) == "maker.strategy: expected a file, was 'nowhere.py': No such file or directory"


def test_parameters_without_a_strategy_are_none_of_the_model() -> None:
    """Somebody has forgotten to name the file."""
    with pytest.raises(StrategyError, match=r"^maker\.parameters\.lean: there is no maker\.strategy to have it$"):
        strategy_of(load_settings({"maker.parameters.lean": "1"}).settings)


@pytest.mark.parametrize(
    ("text", "parameters", "said"),
    [
        ("def step(:", {}, "{path}, line 1: SyntaxError: invalid syntax"),
        ("import nothing_of_that_name", {}, "{path}, line 1: ModuleNotFoundError: No module named"),
        ("x = 1", {}, "{path}: expected either a function `step` or a class `Strategy`"),
        (HEAD + STEP + CLASS, {}, "{path}: expected either a function `step` or a class `Strategy`"),
        (
            HEAD + STEP,
            {"tick": "5"},
            "maker.parameters.tick: {path} has no such parameter, expected one of ticks",
        ),
        (HEAD + STEP, {"ticks": "5.5"}, "maker.parameters.ticks: expected a whole number, was '5.5'"),
        (HEAD + STEP, {"part": "nan"}, "maker.parameters.part: expected a number, was 'nan'"),
        (HEAD + STEP, {"is_on": "maybe"}, "maker.parameters.is_on: expected true or false, was 'maybe'"),
        ("def step(now_ns, inbox):\n  pass", {"a": "1"}, "expected one of none: it has no parameters"),
        ("def step(now_ns, inbox, a):\n  pass", {}, "{path}: expected a default value of a: a number, a text"),
        (
            "class Strategy:\n  def __init__(self):\n    1 / 0",
            {},
            "{path}, line 3: ZeroDivisionError: division by zero",
        ),
        ("class Strategy:\n  pass", {}, "{path}: AttributeError: "),
        ("raise SystemExit(0)", {}, "{path}, line 1: SystemExit: 0"),
    ],
)
def test_file_that_cannot_be_used_is_one_line(path: Path, text: str, parameters: dict[str, str], said: str) -> None:
    """It names the file and the line, or the setting."""
    path.write_text(text)
    with pytest.raises(StrategyError) as told:
        load_strategy(path, parameters)
    assert said.format(path=path) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("1 / 0", "{path}, line 6: ZeroDivisionError: division by zero"),
        ("None", "{path}: expected a Wanted, was None"),
        ("[]", "{path}: expected a Wanted, was []"),
        ("Wanted([1])", "{path}: expected a Quote of a Side, was 1"),
        ("Wanted([Quote(0, 1, 1)])", "{path}: expected a Quote of a Side, was Quote(side=0"),
        ("Wanted([Quote(Side.BUY, float('nan'), 1)])", "{path}: expected price_ticks to be a whole number from 1 to"),
        ("Wanted([Quote(Side.BUY, 5, 1.5)])", "{path}: expected qty_lots to be a whole number from 1 to"),
        ("Wanted([Quote(Side.BUY, 0, 1)])", "{path}: expected price_ticks to be a whole number from 1 to"),
        ("Wanted([Quote(Side.BUY, 5, 1)] * 201)", "{path}: expected at most 200 quotes, were 201"),
        ("Wanted([Quote(Side.BUY, 5, 1), Quote(Side.SELL, 5, 1)])", "{path}: expected bids below asks, were 5 and 5"),
        ("Wanted([Quote(Side.BUY, 5, 1, level=0)])", "{path}: expected level to be None, or a whole number from 1 to"),
        ("Wanted([Quote(Side.BUY, 5, 1, level=1.0)])", "{path}: expected level to be None, or a whole number from 1"),
        ("Wanted([Quote(Side.BUY, 5, 1, model=None)])", "{path}: expected model to be a text of 64 characters at most"),
        ("Wanted([Quote(Side.BUY, 5, 1, model='m' * 65)])", "{path}: expected model to be a text of 64 characters"),
        ("Wanted([], wake_ns=1.5)", "{path}: expected wake_ns to be a whole number, was 1.5"),
        ("Wanted(5)", "{path}: expected a list of quotes, was 5"),
        ("Wanted([], idle=None)", "{path}: expected idle to be reasons by Side, was None"),
        ("Wanted([], obstacle=5)", "{path}: expected obstacle to be a text, was 5"),
        ("exit()", "{path}, line 6: SystemExit: None"),
    ],
)
def test_answer_that_cannot_be_is_one_line(path: Path, answer: str, said: str) -> None:
    """Not a number, a bid above its own ask: nothing of it reaches the venue."""
    path.write_text(f"{HEAD}def step(now_ns, inbox):\n    return {answer}\n")
    with pytest.raises(StrategyError) as told:
        load_strategy(path, {}).step(0, _inbox())
    assert said.format(path=path) in str(told.value)
    assert "\n" not in str(told.value)


def test_strategy_that_never_returns_is_named_with_its_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` waited two minutes for the supervisor, and said no word of the strategy."""
    settings = load_settings({"maker.strategy": str(path), "maker.silence_s": 1}).settings
    path.write_text(f"{HEAD}def step(now_ns, inbox):\n    while True:\n        now_ns += 1\n")
    with pytest.raises(
        StrategyError, match=rf"{re.escape(str(path))}, line [67]: .* maker\.silence_s lets a step take"
    ):
        check_strategy(settings, 1)
    monkeypatch.setattr(strategy, "LOAD_S_MAX", 1.0)
    path.write_text(f"{HEAD}def step(now_ns, inbox):\n    pass\nwhile True:\n    pass\n")
    with pytest.raises(
        StrategyError, match=rf"{re.escape(str(path))}, line [78]: TooLongError: .* a start waits for it"
    ):
        check_strategy(settings, 1)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0), "nobody is interrupted afterwards"


def test_strategy_is_asked_before_anything_runs(path: Path) -> None:
    """A float for a quantity ended the maker, again and again, once the whole desk ran: now `up` says it, and why."""
    size = "inbox.instrument.qty_to_lots(0.01)"
    path.write_text(f"{HEAD}def step(now_ns, inbox):\n    return Wanted([Quote(Side.BUY, 5, {size})])\n")
    settings = load_settings({"maker.strategy": str(path)}).settings
    with pytest.raises(StrategyError) as told:
        check_strategy(settings, 1)
    asked = "(asked in a made-up market, before anything runs)"
    want = "TypeError: qty must be a Decimal, was 0.01, a float: Decimal(str(...)) makes one of a number"
    assert str(told.value) == f"{path}, line 6: {want} {asked}"
    seen = "inbox.depth.bids[19], inbox.depth.asks[19], inbox.balances[inbox.instrument.quote], inbox.position + now_ns"
    path.write_text(f"{HEAD}def step(now_ns, inbox):\n    {seen}\n    return Wanted([])\n")
    check_strategy(settings, 1)
    for fine in ({"maker.strategy": str(EXAMPLE)}, {}):
        check_strategy(load_settings(fine).settings, 1)


def test_several_quotes_a_side_and_none_are_fine(path: Path) -> None:
    """A ladder, one side alone, or nothing."""
    quotes = "[Quote(Side.BUY, 5, 1), Quote(Side.BUY, 4, 1), Quote(Side.BUY, 4, 1)]"
    path.write_text(f"{HEAD}def step(now_ns, inbox):\n    return Wanted({quotes} if now_ns else ())\n")
    strategy = load_strategy(path, {})
    assert (len(strategy.step(1, _inbox()).quotes), len(strategy.step(0, _inbox()).quotes)) == (3, 0)
