"""FIFO profit and loss: hand-computed figures, and the identity on random fills."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.account import Balance, VenueTrade
from market.codes import Side
from reports.exact import EXACT
from tests.reports.documents import performance_document
from tests.reports.fifo import equity_change, fifo_pnl, identity_gap
from tests.reports.fills import FILLS, account, buy, sell, snapshot


def test_matches_the_oldest_lot_first() -> None:
    """Guards FIFO: 1 @ 100 and 1 @ 110, then 1.5 sold @ 120: 1 x 20 + 0.5 x 10 = 25, half a lot stays @ 110."""
    pnl = fifo_pnl([buy(1, "1", "100"), buy(2, "1", "110"), sell(3, "1.5", "120")], "BTC", "USDT")
    assert pnl.realized_gross == pnl.realized_net == 25
    assert [(lot.left, lot.price) for lot in pnl.open_lots] == [(Fraction(1, 2), Fraction(110))]
    assert ([lot.price for lot in pnl.trips], pnl.trip_nets) == ([Fraction(100)], [Fraction(20)])
    assert pnl.unrealized(Decimal(130)) == 10


def test_opens_a_short_on_a_sale_without_inventory() -> None:
    """Guards signed lots: 2 sold @ 100, 1 bought @ 90 earns 10, the other unit is 5 under water at 105."""
    pnl = fifo_pnl([sell(1, "2", "100"), buy(2, "1", "90")], "BTC", "USDT")
    assert pnl.realized_gross == 10
    assert pnl.position == -1
    assert pnl.unrealized(Decimal(105)) == -5
    assert not pnl.round_trips


def test_turns_from_long_to_short_within_one_fill() -> None:
    """Guards the rest of a closing fill, which opens a lot with its share of the fee."""
    pnl = fifo_pnl([buy(1, "1", "100", "0.1"), sell(2, "3", "110", "0.33")], "BTC", "USDT")
    assert pnl.realized_gross == 10
    assert pnl.realized_fees == Fraction("0.21")
    assert pnl.position == -2
    assert pnl.open_fees == Fraction("0.22")


def test_shares_a_fee_that_has_no_finite_decimal_exactly() -> None:
    """Guards pro-rata fees: a third of 0.1, three times, is 0.1 and not a unit less."""
    fills = [buy(1, "3", "100", "0.1")]
    fills += [sell(2 + index, "1", "101") for index in range(3)]
    assert fifo_pnl(fills[:2], "BTC", "USDT").realized_net == 1 - Fraction(1, 30)
    assert fifo_pnl(fills, "BTC", "USDT").realized_net == Fraction("2.9")


def test_counts_a_lot_closed_in_pieces_as_one_round_trip() -> None:
    """Guards the win rate: a lot from flat to flat is one trip, whatever the number of fills that close it."""
    fills = [buy(1, "2", "100"), sell(2, "1", "90"), sell(3, "1", "120")]
    assert fifo_pnl(fills[:2], "BTC", "USDT").round_trips == 0
    pnl = fifo_pnl(fills, "BTC", "USDT")
    assert (pnl.round_trips, pnl.wins, pnl.trip_nets) == (1, 1, [Fraction(10)])


def test_calls_a_tie_no_win() -> None:
    """Guards the win rate: net 0 after fees is not > 0."""
    pnl = fifo_pnl([buy(1, "1", "100", "0.5"), sell(2, "1", "101", "0.5")], "BTC", "USDT")
    assert (pnl.wins, pnl.trip_nets) == (0, [Fraction(0)])


def test_reduces_the_lot_by_a_fee_in_base() -> None:
    """Guards base fees: of 1 bought @ 100 with 0.001 fee 0.999 arrive, and the fee cost 0.1."""
    pnl = fifo_pnl([buy(1, "1", "100", "0.001", "BTC"), sell(2, "0.999", "110")], "BTC", "USDT")
    assert pnl.realized_gross == Fraction("9.99")
    assert pnl.realized_fees == Fraction("0.1")
    assert pnl.position == 0
    assert pnl.realized_net == Fraction("0.999") * 110 - 100


def test_values_a_fee_in_a_third_asset_at_its_mid() -> None:
    """Guards third-asset fees: 0.01 BNB at 600 costs 6."""
    fills = [buy(1, "1", "100", "0.01", "BNB"), sell(2, "1", "110")]
    pnl = fifo_pnl(fills, "BTC", "USDT", {"BNB": Decimal(600)})
    assert pnl.realized_net == 4
    assert not pnl.unvalued_fees


def test_names_a_fee_without_a_price_beside_the_result() -> None:
    """Guards honesty: an unknown price is neither zero nor guessed."""
    pnl = fifo_pnl([buy(1, "1", "100", "0.01", "BNB"), sell(2, "1", "110", "0.02", "BNB")], "BTC", "USDT")
    assert pnl.realized_net == 10
    assert pnl.unvalued_fees == {"BNB": Fraction("0.03")}


def test_spends_a_fee_that_takes_all_that_was_bought() -> None:
    """Guards the division by the lot's quantity, which is nothing here."""
    fills = [buy(1, "0.00001", "100", "0.00001", "BTC")]
    pnl = fifo_pnl(fills, "BTC", "USDT")
    assert (len(pnl.open_lots), pnl.realized_net) == (0, Fraction("-0.001"))
    assert identity_gap(fills, "BTC", "USDT", Decimal(5)) == 0


def test_trusts_the_money_that_moved_over_price_times_quantity() -> None:
    """Guards venues that cut quote_qty to 8 decimals: the identity holds against the account, not against a product."""
    cut = VenueTrade(
        1,
        "o",
        "BTCUSDT",
        Side.BUY,
        Decimal("0.00000003"),
        Decimal("0.5"),
        Decimal("0.00000001"),
        Decimal(0),
        "",
        0,
        True,
    )
    assert fifo_pnl([cut], "BTC", "USDT").marked(Decimal(0)) == Fraction("-0.00000001")


@pytest.mark.parametrize("qty", ["0", "-1"])
def test_refuses_a_fill_without_quantity(qty: str) -> None:
    """Guards the unit price."""
    with pytest.raises(ValueError, match="qty of trade 1 must be positive"):
        fifo_pnl([buy(1, qty, "100")], "BTC", "USDT")


@given(FILLS, st.integers(0, 20_000_000), st.booleans())
def test_keeps_the_identity_to_the_last_unit(fills: list[VenueTrade], mark_ticks: int, is_bnb_priced: bool) -> None:
    """Guards the books: realized net + unrealized - fees on open lots = change of equity, exactly."""
    mids = {"BNB": Decimal("612.34")} if is_bnb_priced else {}
    assert identity_gap(fills, "BTC", "USDT", Decimal(mark_ticks) / 100, mids) == 0


@given(FILLS, st.integers(1, 20_000_000))
def test_agrees_with_the_cash_and_coins_of_the_account(fills: list[VenueTrade], mark_ticks: int) -> None:
    """Guards `equity_change` itself against arithmetic in plain decimals."""
    mark, mid = Decimal(mark_ticks) / 100, Decimal(600)
    worth = {"BTC": mark, "USDT": Decimal(1), "BNB": mid, "XYZ": Decimal(0)}
    moved = Decimal(0)
    for trade in fills:
        sign = 1 if trade.side is Side.BUY else -1
        moved += sign * (trade.qty * mark - trade.quote_qty) - trade.fee * worth[trade.fee_asset]
    assert equity_change(fills, "BTC", "USDT", mark, {"BNB": mid}) == Fraction(moved)


@given(FILLS)
def test_leaves_lots_of_one_side_only(fills: list[VenueTrade]) -> None:
    """Guards matching: a buy and a sell lot never stand open together, and no lot is empty."""
    lots = fifo_pnl(fills, "BTC", "USDT").open_lots
    assert len({lot.side for lot in lots}) <= 1
    assert all(lot.left > 0 for lot in lots)


@given(FILLS)
def test_puts_every_gross_in_a_round_trip_once_all_is_closed(fills: list[VenueTrade]) -> None:
    """Guards the win rate's basis: flat at the end, the trips' net is the realized net."""
    kept = [trade for trade in fills if trade.fee_asset != "BTC"]
    position = fifo_pnl(kept, "BTC", "USDT").position
    if position:
        close = sell if position > 0 else buy
        kept.append(close(1_000, str(Decimal(abs(position).numerator) / abs(position).denominator), "50000"))
    pnl = fifo_pnl(kept, "BTC", "USDT")
    assert pnl.position == 0
    assert sum(pnl.trip_nets) == pnl.realized_net


@given(FILLS, st.integers(0, 20_000_000))
def test_sums_up_what_the_lots_say_one_by_one(fills: list[VenueTrade], mark_ticks: int) -> None:
    """Guards the running sums of a book, and the trips that it counts, against the lots and the trips themselves."""
    book, mark = fifo_pnl(fills, "BTC", "USDT"), Decimal(mark_ticks) / 100
    signed = [(lot.left if lot.side is Side.BUY else -lot.left, lot) for lot in book.open_lots]
    assert book.position == sum(qty for qty, _ in signed)
    assert book.open_fees == sum(lot.left * lot.fee_per_unit for lot in book.open_lots)
    assert book.unrealized(mark) == sum(qty * (Fraction(mark) - lot.price) for qty, lot in signed)
    assert book.marked(mark) == book.realized_net + book.unrealized(mark) - book.open_fees
    assert book.identity_gap(mark) == 0
    gains = [lot for lot, net in zip(book.trips, book.trip_nets, strict=True) if net > 0]
    assert book.round_trips == len(book.trips)
    assert book.undecided == sum(lot.is_unvalued for lot in gains)
    assert book.wins == len(gains) - book.undecided


def test_knows_no_winner_where_the_closing_leg_paid_without_a_price() -> None:
    """Guards the win rate: the fee of either leg may have taken what the trip earned."""
    for fees in (("0.1", "USDT", "0.02", "BNB"), ("0.02", "BNB", "0.1", "USDT")):
        pnl = fifo_pnl([buy(1, "1", "100", *fees[:2]), sell(2, "1", "110", *fees[2:])], "BTC", "USDT")
        assert (pnl.round_trips, pnl.wins, pnl.undecided) == (1, 0, 1)


def test_adds_up_amounts_of_more_digits_than_decimals_keep_by_themselves() -> None:
    """Guards the sums: a balance of 31 digits loses none, where plain decimals keep 28 and say nothing."""
    start = account(BTC="1234567890123456789012.000000001", USDT="1000")
    first = performance_document(snapshot(start, marks={"BTCUSDT": "100"}), None)
    fills = [buy(1, "0.000000001", "100")]
    document = performance_document(snapshot(_moved(start), fills, marks={"BTCUSDT": "100"}), first)
    assert document["reconciliation"]["is_exact"]
    assert document["equity"]["balances"]["BTC"]["end"] == Decimal("1234567890123456789012.000000002")


def _moved(start: dict[str, Balance]) -> dict[str, Balance]:
    more = EXACT.add(start["BTC"].free, Decimal("0.000000001"))
    return start | {"BTC": Balance(more, Decimal(0)), "USDT": Balance(Decimal("999.9999999"), Decimal(0))}
