"""What the maker keeps of its presence and its fills: over a restart, of picked-off fills, and from a damaged file."""

from decimal import Decimal
from pathlib import Path

from desk.quoting_file import quoting_document, quoting_path, read_quoting
from desk.settings import load_settings
from market.clock import NS_PER_SECOND, utc_date
from market.codes import Side
from market.exact_json import dumps, loads
from tests.nodes.maker.makers import Told, a_maker, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue

MINUTE_NS = 60 * NS_PER_SECOND


def test_presence_goes_on_after_a_restart_and_its_gap_counts(tmp_path: Path, venue: ScriptedVenue) -> None:
    """Two minutes with both quotes, one without a maker, one with both; and the daily document has it."""
    day = utc_date(venue.now[0])
    for minutes in (2, 1):
        with a_maker(tmp_path, venue) as one:
            one.cycle()
            one.cycle()
            venue.now[0] += minutes * MINUTE_NS
            one.cycle()
            one.stop()
        venue.now[0] += MINUTE_NS
    kept = read_quoting(tmp_path, day, "BTCUSDT")
    assert kept is not None
    assert (kept.until_ns - kept.since_ns) // MINUTE_NS == 4
    assert round(kept.presence, 2) == Decimal("0.75")
    assert read_quoting(tmp_path, day, "ETHUSDT") is None, "of another pair nothing is known"
    told = quoting_document(load_settings({"run_dir": tmp_path}).settings, day)
    assert told is not None
    assert (told["minutes"], told["minutes_on_target"]) == (3, 1), "from 0:40: all of one, and 40 s and 20 s of two"


def test_the_best_of_several_levels_counts(tmp_path: Path, venue: ScriptedVenue) -> None:
    """Others behind it are too far away to."""
    with a_maker(tmp_path, venue, levels=2, level_step="0.01") as one:
        for _ in range(3):
            one.cycle()
            venue.now[0] += MINUTE_NS
        one.cycle()
        assert len(venue.orders) == 4
        one.stop()
    kept = read_quoting(tmp_path, utc_date(venue.now[0]), "BTCUSDT")
    assert kept is not None
    assert kept.presence > Decimal("0.9")


def test_a_fill_after_its_cancel_was_sent_is_picked_off(tmp_path: Path, venue: ScriptedVenue, told: Told) -> None:
    """The bid is filled while it stands, the ask as its cancel arrives, and the mid has moved against it."""
    with a_maker(tmp_path, venue) as one:
        one.cycle()
        (bid,) = (name for name, order in venue.orders.items() if order.side == Side.BUY)
        venue.fill(bid)
        one.cycle()
        venue.mid_ticks = 9_300_000  # beyond the tolerance: both are cancelled
        (ask,) = (name for name, order in venue.orders.items() if order.side == Side.SELL)
        venue.before["cancel"] = lambda: venue.fill(ask) if ask in venue.orders else None
        one.cycle()
        del venue.before["cancel"]
        venue.now[0] += 11 * NS_PER_SECOND
        one.cycle()
        one.stop()
        figures = one.figures()
    assert [line.get("picked_off") for line in lines(told, "filled")] == [None, "its cancel was on its way"]
    assert (figures["fills"], figures["picked_off"]) == (2, 1)
    loss = (Decimal("91567.77") - Decimal(93_000)) * Decimal("0.01092")
    assert abs(Decimal(figures["picked_off_markout"]) - loss) < Decimal("0.1")


def test_placed_and_filled_orders_are_counted_over_a_restart_and_a_kill(tmp_path: Path, venue: ScriptedVenue) -> None:
    """A fill of an order that a killed maker did not live to count is none of the counted ones, nor is it placed."""

    def counts() -> tuple[int, int]:
        told = quoting_document(load_settings({"run_dir": tmp_path}).settings, utc_date(venue.now[0]))
        assert told is not None
        return told["orders"], told["orders_filled"]

    with a_maker(tmp_path, venue, levels=2) as one:
        one.cycle()
        one.maker._quality.keep()
        assert counts() == (4, 0)
        bid, _, _, ask = sorted(venue.orders, key=lambda name: venue.orders[name].price)
        venue.fill(bid, Decimal("0.001"))
        one.cycle()
        venue.fill(bid)
        one.cycle()
        one.maker._quality.keep()
        assert counts()[1] == 1
        before = set(venue.orders)
        venue.mid_ticks = 9_300_000
        one.cycle()  # all are moved, and nobody keeps that: it is killed
    assert not before & set(venue.orders), "all are of what was not counted"
    counted = counts()
    with a_maker(tmp_path, venue, levels=2) as other:
        for name in list(venue.orders):
            venue.fill(name)
        other.cycle()
        other.maker._quality.keep()
        orders, filled = counts()
        assert (orders > counted[0], filled) == (True, 1)
        venue.fill(next(iter(venue.orders)))
        other.cycle()
        other.stop()
    assert counts()[1] == 2
    assert ask not in venue.orders


def test_a_damaged_file_is_told_and_begun_anew(tmp_path: Path, venue: ScriptedVenue, told: Told) -> None:
    """It stops nobody."""
    path = quoting_path(tmp_path, utc_date(venue.now[0]))
    path.write_text('{"symbol": "BTCUSDT", "present_ns": []}')
    with a_maker(tmp_path, venue) as one:
        assert len(lines(told, "the day's presence is not kept; a maker that starts begins it anew")) == 1
        assert quoting_document(load_settings({"run_dir": tmp_path}).settings, utc_date(venue.now[0])) is None
        one.cycle()
        one.stop()
    assert read_quoting(tmp_path, utc_date(venue.now[0]), "BTCUSDT") is not None


def test_what_the_maker_has_seen_and_is_set_to_stands_in_the_daily_document(
    tmp_path: Path, venue: ScriptedVenue
) -> None:
    """Evidence for a setting needs both; a file of former versions has nothing seen."""
    with a_maker(tmp_path, venue) as one:
        one.cycle()
        one.stop()
    settings, day = load_settings({"run_dir": tmp_path}).settings, utc_date(venue.now[0])
    told = quoting_document(settings, day)
    assert told is not None
    assert (told["symbol"], told["seen"]) == ("BTCUSDT", {"volatility": None, "bid": None, "ask": None})
    assert told["maker"]["half_spread"] == "0.002"
    side = {"rate": "0.5", "decay": "2500", "takers": "400", "r2": "0.9"}
    path = quoting_path(tmp_path, day)
    kept = loads(path.read_bytes())
    path.write_text(dumps(kept | {"seen": kept["seen"] | {"bid": side}}))
    assert (quoting_document(settings, day) or {})["seen"]["bid"] == side
    del kept["seen"]
    path.write_text(dumps(kept))
    assert (quoting_document(settings, day) or {})["seen"]["bid"] is None
