"""The filters, and the sizes and caps of market orders."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.codes import Side
from market.depth import Level
from market.instrument import Instrument
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.filters import (
    Draft,
    check_filters,
    filter_documents,
    price_to_ticks,
    qty_to_lots,
)
from paper.exchange.sizing import buy_for, price_cap_ticks, sell_for
from paper.money.orders import Order, OrderKind
from paper.units import UNITS_MAX, Symbol, TooPreciseError, format_units, parse_units
from tests.pairs import default_instruments
from tests.paper.desk import ALICE, Desk

BTC = Symbol.of(default_instruments()[0])


def refused_by(
    price: str,
    qty: str,
    *,
    side: Side = Side.BUY,
    kind: OrderKind = OrderKind.LIMIT,
    reference: str | None = "90000",
    open_count: int = 0,
    iceberg: str = "0",
) -> str | None:
    """Return the name of the filter that refuses an order, or None."""
    reference_ticks = None if reference is None else parse_units(reference) // BTC.tick_units
    try:
        order = Order(
            ALICE,
            BTC,
            side,
            kind,
            price_ticks=price_to_ticks(BTC, parse_units(price)),
            qty_lots=qty_to_lots(BTC, parse_units(qty)),
            display_lots=qty_to_lots(BTC, parse_units(iceberg)),
        )
        check_filters(Draft(order, reference_ticks, open_count))
    except ExchangeError as error:
        if error.kind is not ErrorKind.FILTER_FAILURE:
            raise
        return error.message.removeprefix("Filter failure: ")
    return None


@pytest.mark.parametrize(
    ("price", "qty", "expected"),
    [
        ("91202.23", "0.01094", None),
        ("91202.235", "0.01094", "PRICE_FILTER"),
        ("0", "0.01094", "PRICE_FILTER"),
        ("1000000.00", "0.01094", "PERCENT_PRICE_BY_SIDE"),
        ("1000000.01", "0.01094", "PRICE_FILTER"),
        ("90000", "0.000001", "LOT_SIZE"),
        ("90000", "0", "LOT_SIZE"),
        ("90000", "9000.00001", "LOT_SIZE"),
        ("90000", "0.00005", "NOTIONAL"),
        ("90000", "0.00006", None),
        ("90000", "9000", "NOTIONAL"),
        ("18000", "0.1", None),
        ("17999.99", "0.1", "PERCENT_PRICE_BY_SIDE"),
        ("450000", "0.1", None),
        ("450000.01", "0.1", "PERCENT_PRICE_BY_SIDE"),
    ],
)
def test_a_limit_order_must_pass_every_filter(price: str, qty: str, expected: str | None) -> None:
    """Each filter at its bound and one step beyond."""
    assert refused_by(price, qty) == expected
    assert refused_by(price, qty, side=Side.SELL, kind=OrderKind.LIMIT_MAKER) == expected


def test_an_iceberg_has_at_most_so_many_parts() -> None:
    """A whole hundred of them passes, one lot more does not."""
    assert refused_by("90000", "0.1", iceberg="0.001") is None
    assert refused_by("90000", "0.10001", iceberg="0.001") == "ICEBERG_PARTS"


def test_prices_are_free_while_nothing_has_traded() -> None:
    """Without a reference there is nothing to be near to."""
    assert refused_by("100", "1", reference=None) is None


def test_a_market_order_is_measured_at_the_reference() -> None:
    """It has no price of its own."""
    assert refused_by("0", "0.00005", kind=OrderKind.MARKET) == "NOTIONAL"
    assert refused_by("0", "0.00006", kind=OrderKind.MARKET) is None
    assert refused_by("0", "100.00001", kind=OrderKind.MARKET) == "MARKET_LOT_SIZE"
    assert refused_by("0", "0.00001", kind=OrderKind.MARKET, reference=None) is None


def test_only_so_many_orders_may_be_open() -> None:
    """MAX_NUM_ORDERS 200; a market order never rests."""
    assert refused_by("90000", "0.01", open_count=199) is None
    assert refused_by("90000", "0.01", open_count=200) == "MAX_NUM_ORDERS"
    assert refused_by("0", "0.01", kind=OrderKind.MARKET, open_count=200) is None


def test_the_filters_are_printed_as_binance_prints_them() -> None:
    """Eight decimals, and every name once."""
    printed = {each["filterType"]: each for each in filter_documents(BTC)}
    assert printed["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert printed["PRICE_FILTER"]["maxPrice"] == "1000000.00000000"
    assert printed["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert printed["NOTIONAL"]["minNotional"] == "5.00000000"
    assert printed["PERCENT_PRICE_BY_SIDE"]["bidMultiplierDown"] == "0.2"


@settings(deadline=None)
def filters_of(symbol: Symbol) -> dict[str, dict[str, object]]:
    """Return what exchangeInfo prints of a symbol's filters, by name."""
    return {each["filterType"]: each for each in filter_documents(symbol)}


def test_a_position_is_what_is_owned_and_what_is_on_order(tmp_path: Path) -> None:
    """MAX_POSITION, of a symbol that has one: free, locked and open purchases together; sales are free."""
    instruments = (replace(default_instruments()[0], max_position=Decimal("1.05")),)
    assert filters_of(Symbol.of(instruments[0]))["MAX_POSITION"]["maxPosition"] == "1.05000000"
    assert "MAX_POSITION" not in filters_of(BTC)
    desk = Desk(tmp_path, instruments=instruments).connect()
    desk.place(ALICE, desk.request(Side.SELL, "95000", "0.4"))
    desk.place(ALICE, desk.request(Side.BUY, "90000", "0.03"))
    with pytest.raises(ExchangeError, match="Filter failure: MAX_POSITION"):
        desk.place(ALICE, desk.request(Side.BUY, "90000", "0.03"))
    desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    desk.ledger.check()
    desk.ledger.close()


def test_a_notional_is_bounded_below_under_either_name() -> None:
    """A symbol has NOTIONAL or MIN_NOTIONAL, never both."""
    unbounded = Symbol.of(replace(default_instruments()[0], is_notional_bounded=False))
    assert filters_of(BTC)["NOTIONAL"]["minNotional"] == "5.00000000"
    assert filters_of(unbounded)["MIN_NOTIONAL"] == {
        "filterType": "MIN_NOTIONAL", "minNotional": "5.00000000", "applyToMarket": True, "avgPriceMins": 5,
    }  # fmt: skip
    assert ("MIN_NOTIONAL" in filters_of(BTC), "NOTIONAL" in filters_of(unbounded)) == (False, False)
    order = Order(ALICE, unbounded, Side.BUY, OrderKind.LIMIT, price_ticks=9_000_000, qty_lots=5)
    with pytest.raises(ExchangeError, match="Filter failure: MIN_NOTIONAL"):
        check_filters(Draft(order, None))
    check_filters(Draft(replace(order, qty_lots=900_000_000), None))


@pytest.mark.parametrize(("bps", "is_taken"), [(0, True), (9, False), (10, True), (2_000, True), (2_001, False)])
def test_a_trail_is_neither_too_short_nor_too_long(bps: int, is_taken: bool) -> None:
    """TRAILING_DELTA, as exchangeInfo lists it; without a stop price there is none to check."""
    document = filters_of(BTC)["TRAILING_DELTA"]
    assert (document["minTrailingAboveDelta"], document["maxTrailingBelowDelta"]) == (10, 2_000)
    kind = OrderKind.TAKE_PROFIT_LIMIT if bps else OrderKind.LIMIT
    order = Order(ALICE, BTC, Side.SELL, kind, price_ticks=9_000_000, qty_lots=1_000, trailing_bps=bps)
    if is_taken:
        check_filters(Draft(order, 9_000_000))
    else:
        with pytest.raises(ExchangeError, match="Filter failure: TRAILING_DELTA"):
            check_filters(Draft(order, 9_000_000))


@given(units=st.integers(0, UNITS_MAX))
def test_amounts_survive_being_printed(units: int) -> None:
    """Text is exact."""
    assert parse_units(format_units(units)) == units


@pytest.mark.parametrize("text", ["", "-1", "+1", "1e3", "NaN", "inf", " 1", "1_0", ".5", "1,0", "\u0661", "1" * 21])
def test_what_is_no_plain_number_is_no_amount(text: str) -> None:
    """Decimal() and int() would take most of these."""
    with pytest.raises(ValueError, match="plain decimal number"):
        parse_units(text)


def test_a_ninth_decimal_is_too_precise_unless_it_is_zero() -> None:
    """Assets have eight."""
    assert parse_units("0.123456780000") == 12_345_678
    with pytest.raises(TooPreciseError):
        parse_units("0.000000001")


def test_an_instrument_that_is_no_whole_number_of_units_is_refused() -> None:
    """A tick of 10^-7 times a lot of 10^-2 would need a ninth decimal."""
    with pytest.raises(ValueError, match="tick size x lot size"):
        Symbol.of(Instrument(0, "XY", "X", "Y", Decimal("0.0000001"), Decimal("0.01")))


LEVELS = st.lists(
    st.tuples(st.integers(1, 10**7), st.integers(1, 10**6)), min_size=1, max_size=20, unique_by=lambda level: level[0]
)


@settings(deadline=None)
@given(levels=LEVELS, qty_lots=st.integers(1, 10**7), free_units=st.integers(0, 10**18))
def test_a_market_buy_never_costs_more_than_there_is(
    levels: list[tuple[int, int]], qty_lots: int, free_units: int
) -> None:
    """Even if all of it trades at the cap; and it always reaches the best price."""
    asks = [Level(*level) for level in sorted(levels)]
    try:
        cap_ticks = price_cap_ticks(BTC, asks, qty_lots, free_units)
    except ExchangeError as error:
        if error.kind is not ErrorKind.INSUFFICIENT_BALANCE:
            raise
        return
    assert cap_ticks * qty_lots * BTC.notional_units <= free_units
    assert cap_ticks >= asks[0].price_ticks


@settings(deadline=None)
@given(levels=LEVELS, quote_units=st.integers(1, 10**18))
def test_a_buy_sized_in_quote_stays_within_it(levels: list[tuple[int, int]], quote_units: int) -> None:
    """And uses all of the best level that it can pay."""
    asks = [Level(*level) for level in sorted(levels)]
    qty_lots, cap_ticks = buy_for(BTC, asks, quote_units)
    assert BTC.notional(cap_ticks, qty_lots) <= quote_units
    assert qty_lots >= min(asks[0].qty_lots, quote_units // BTC.notional(asks[0].price_ticks, 1))


@settings(deadline=None)
@given(levels=LEVELS, quote_units=st.integers(1, 10**18))
def test_a_sale_sized_in_quote_earns_no_more_than_that(levels: list[tuple[int, int]], quote_units: int) -> None:
    """The last lot that would exceed it is not sold."""
    bids = [Level(*level) for level in sorted(levels, reverse=True)]
    earned, left_lots = 0, sell_for(BTC, bids, quote_units)
    for price_ticks, level_lots in bids:
        earned += BTC.notional(price_ticks, min(level_lots, left_lots))
        left_lots -= min(level_lots, left_lots)
    assert left_lots == 0
    assert earned <= quote_units
