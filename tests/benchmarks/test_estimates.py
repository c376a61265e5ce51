"""What the table of estimates makes of what was seen."""

from benchmarks.estimates import row, seen_of
from commands.actions.simulate import start_of
from desk.settings import load_settings
from market.clock import NS_PER_SECOND
from trading.quoting import Arrivals, Estimates


def test_row_has_the_means_and_says_how_often_arrivals_were_known() -> None:
    """1 / k is averaged, not k; what was never known is left empty."""
    one = Estimates(0.0001, Arrivals(1.0, 10_000.0, 200, 0.9))
    two = Estimates(0.0003, None, Arrivals(2.0, 5_000.0, 400, 0.7))
    assert row("normal", [one, two]) == "| normal | 2.00 | 1.00 | 3.00 | 1.50 | 1.50 | 300 | 0.80 | 50% |"
    assert row("none", [Estimates()]) == "| none |  |  |  |  |  |  |  | 0% |"


def test_volatility_is_known_after_a_minute() -> None:
    """Asked twice in ninety seconds; a calm market has less of it than the default reference of 1 bp."""
    settings = load_settings({"flow.source": "synthetic", "flow.preset": "calm", "flow.seed": 1}).settings
    start_ns = start_of("2026-01-01T00:00:00")
    seen = [*seen_of(settings, start_ns, start_ns + 90 * NS_PER_SECOND)]
    assert len(seen) == 2
    assert all(each.volatility is not None and 0 < each.volatility < 0.0001 for each in seen)
