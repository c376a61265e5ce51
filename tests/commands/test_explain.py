"""`explain`: a model at five positions, without a desk; of one that runs see tests/desk."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from commands.app import app
from desk.market_seen import seen_json, seen_of
from market.mendable import MendableError
from trading.quoting import Arrivals, Estimates

RunDir = Callable[..., str]


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """Return the command in a place where no desk has ever run."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["explain", *words])
        if isinstance(result.exception, MendableError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_default_model_is_told_around_a_given_price(explain: RunDir) -> None:
    """The default quotes, to the cent, and what stands for what nobody has seen."""
    text = explain("--mid", "91385").splitlines()
    assert text[0] == "symmetric in BTCUSDT, around the given price: mid 91,385"
    assert text[2:4] == ["symmetric goes by the book and the position alone", ""]
    flat = next(line for line in text if line.startswith("flat")).split()
    assert flat[1:7] == ["0", "91,202.23", "91,567.77", "365.54", "40", "2"]
    assert "    twice: spread, bps 40 -> 80; earned by both, USDT 2 -> 6" in text
    assert "maker.half_spread 0.002 (fraction of the mid)" in text
    steps = [line.strip() for line in text if line.startswith("    with ")]
    book = "in a book 2 bps wide whose bid is three times its ask"
    assert steps[0].startswith(f"with micro, {book}: skew when flat, bps 0 -> 0.5; ")
    assert steps[1:] == [
        "with 0.0005: skew at half, bps 0 -> -2.5; skew at full, bps 0 -> -5; skew costs at full, USDT 0 -> 0.5",
        "with 0.5: first bid at full, BTC 0.01094 -> 0.00547",
    ]


def test_levels_limits_and_what_holds_a_quote_back_are_told(explain: RunDir) -> None:
    """Three levels were one line; a bid at the mid, and limits that leave nothing of it, no word."""
    sets = ("maker.skew=0.004", "maker.levels=2", "maker.limits.exposure=5000")
    words = [word for each in sets for word in ("--set", each)]
    text = explain("avellaneda-stoikov", "--mid", "91385", *words).splitlines()
    assert [line.split(" of ")[0] for line in text[2:5]] == [
        "sigma       1 bps per square-root second (not known: maker.volatility)", "k", "k",
    ]  # fmt: skip
    assert text[3] == "k of bids   1 / k 20 bps (not known: maker.half_spread)"
    start = text.index("held back, or cut by a limit (the table is without limits):")
    assert text[start + 1].startswith("full short, bid: WOULD_TAKE: just behind the other side's best price")
    assert text[start + 2].startswith("full short, ask: EXPOSURE_LIMIT: the position could be worth -10")
    rows = [line.split() for line in text if line.startswith(("levels", "flat  "))]
    assert rows[1:] == [
        ["levels", "bid", "BTC", "ask", "BTC"],
        ["flat", "1", "91,159.19", "0.01094", "91,610.81", "0.01094"],
        ["flat", "2", "91,113.5", "0.01094", "91,656.5", "0.01094"],
    ]
    document = json.loads(explain("glft", "--mid", "91385", "--json"))
    assert document["reads"] == ["volatility", "rate", "decay"]
    assert [each["level"] for each in document["stands"][2]["levels"]] == [1]
    assert document["stands"][2]["kept"] == []


def test_settings_and_volatility_are_those_given(explain: RunDir) -> None:
    """Twice the reference volatility is twice the spread of `volatility`."""
    document = json.loads(explain("volatility", "--mid", "91385", "--sigma", "0.0002", "--json"))
    assert document["seen"]["volatility"] == {"seen": 0.0002, "taken": 0.0002, "is_given": True}
    assert [each["spread_bps"] for each in document["stands"]] == pytest.approx([80.0] * 5, abs=0.01)
    fee = json.loads(explain("glft", "--mid", "91385", "--set", "maker.fee=0.0002", "--json"))
    assert fee["stands"][2]["spread_bps"] == pytest.approx(44.0, abs=0.01)  # 1 / k is 20, the fee 2 bps
    parameters: dict[str, Any] = {each["name"]: each for each in fee["parameters"]}
    assert parameters["maker.fee"]["value"] == 0.0002
    assert parameters["maker.skew"]["twice"] is None  # twice nothing
    assert parameters["maker.centre"]["twice"] is None
    assert parameters["maker.skew"]["step"]["to"] == 0.0005
    assert parameters["maker.centre"]["step"]["to"] == "micro"
    assert parameters["maker.fee"]["step"] is None  # twice is another value
    micro = json.loads(explain("--mid", "91385", "--set", "maker.centre=micro", "--json"))
    assert {each["name"]: each["step"] and each["step"]["to"] for each in micro["parameters"]}["maker.centre"] == "mid"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("nonsense", "--mid", "91385"),
            "maker.model: expected one of symmetric, volatility, avellaneda-stoikov, glft",
        ),
        (("glft",), "no market to explain it in: no desk runs in .*; or name a price: --mid 91385"),
        (("--mid", "0.01"), r"--mid: expected from 0\.02 to .*, was 0\.01"),
        (("--mid", "1e5"), "--mid: expected a plain decimal number, was '1e5'"),
        (("--mid", "5", "--set", "flow.seed=3"), "--set flow.seed: nothing here reads it"),
        (("--mid", "5", "--set", "maker.skew=2"), "maker.skew: expected less than 0.5"),
        (("--mid", "5", "--set", "maker.skew"), "expected --set KEY=VALUE"),
    ],
)
def test_what_cannot_be_explained_is_one_line(explain: RunDir, words: tuple[str, ...], told: str) -> None:
    """It names what to write instead."""
    with pytest.raises(MendableError, match=told):
        explain(*words)


def test_desk_that_runs_tells_what_its_maker_has_seen(explain: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """With n and R2, and how far it is believed: (1 - 100 / 400) x (2 x 0.75 - 1) = 3 / 8. Its position is a line."""
    seen = Estimates(0.00012, Arrivals(1.5, 20_000.0, 400.0, 0.75))
    figures = {"mid": "91385.000", "position": "0.05", "seen": seen_json(seen)}
    status = {"nodes": [{"kind": "maker", "state": "ready", "figures": figures}]}
    monkeypatch.setattr("commands.actions.explain.desk_pid", lambda _: 1)
    monkeypatch.setattr("commands.actions.explain.desk_status", lambda _: status)
    text = explain("glft", "--set", "maker.skew=0.001").splitlines()
    assert text[0] == "glft in BTCUSDT, the desk's market now: mid 91,385"
    assert text[2] == "sigma         1.2 bps per square-root second (half-life 300 s)"
    assert text[3].startswith("A, k of bids  A ")
    assert "skew: the middle of the quotes minus the mid, by a lean or because the two sides' k differ" in text
    assert text[3].endswith("(seen: A 1.5, 1 / k 0.5 bps, n 400, R2 0.75; believed to 38%)")
    assert text[4].endswith("(not known: maker.arrival_rate, maker.half_spread)")
    assert any(line.startswith("now ") and "0.05" in line for line in text)
    document = json.loads(explain("glft", "--set", "maker.skew=0.001", "--json"))
    assert document["seen"]["bid"]["seen"] == {"rate": 1.5, "decay": 20_000, "takers": 400, "r2": 0.75}
    assert document["seen"]["bid"]["taken"]["decay"] == pytest.approx(500 * 40**0.375, rel=1e-5)


def test_what_the_maker_has_seen_comes_back_from_status_as_it_was() -> None:
    """In six digits; what is not known stays so."""
    seen = Estimates(0.000123456789, None, Arrivals(1.0 / 3, 20_000.0, 400.0, 0.75))
    assert seen_of(seen_json(seen)) == Estimates(0.000123457, None, Arrivals(0.333333, 20_000.0, 400.0, 0.75))
    assert seen_of(seen_json(Estimates())) == Estimates()


def test_without_a_price_the_last_recorded_one_is_taken(explain: RunDir, tmp_path: Path) -> None:
    """Of the latest daily file that has one of this symbol."""
    reports = tmp_path / "run" / "reports"
    reports.mkdir(parents=True)
    simulated = CliRunner().invoke(app, ["simulate", "--seconds", "15", "--out", str(tmp_path / "simulated")])
    assert simulated.exit_code == 0
    (tmp_path / "simulated" / "performance_20260101.json").rename(reports / "performance_20260101.json")
    document = json.loads(explain("glft", "--json"))
    assert document["origin"] == "around the last price of 2026-01-01"
    recorded = json.loads((reports / "performance_20260101.json").read_text())
    assert document["mid"] == recorded["symbols"]["BTCUSDT"]["mark_price"]
