"""What each level and each rule has realized: by hand, and to the last unit for any fills."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject, dumps, loads
from pages.day import day_page
from reports.by_order import BY, realized_by_order
from reports.carried import Carried
from reports.checking import checked_book
from reports.day_book import DayBook
from reports.performance import unseen_document
from reports.trade_history import FillDetail, key_of
from screens.report import day_text
from tests.reports.fills import BTC, DAY, ETH, FILLS, buy, fill, sell

_DETAILS = st.lists(
    st.tuples(
        st.sampled_from([None, 1, 2, 3]),
        st.sampled_from([None, "fixed"]),
        st.sampled_from([None, "WANTED", "TAKEN"]),
    ).map(lambda placed: FillDetail(level=placed[0], model=placed[1], rule=placed[2])),
    min_size=40,
    max_size=40,
)


def _document(fills: list[VenueTrade], details: list[FillDetail]) -> JsonObject:
    told = {key_of(trade): detail for trade, detail in zip(fills, details, strict=False)}
    return unseen_document(DAY, fills, [BTC, ETH], {"BNBUSDT": Decimal(600)}, None, told)


def _made() -> JsonObject:
    fills = [
        buy(1, "3", "100", "0.1"),
        sell(2, "1", "101", "0.01"),
        sell(3, "1", "102", "0.01"),
        sell(4, "1", "99"),
        fill(5, Side.BUY, "1", "10", symbol="ETHUSDT"),
    ]
    details = [FillDetail(level=2, rule="OPENS"), FillDetail(level=1, rule="A"), FillDetail(level=1, rule="B")]
    return _document(fills, details)


def test_result_is_of_the_order_that_closes() -> None:
    """By hand: a third of the purchase's fee goes with each sale; who opens realizes nothing."""
    found = realized_by_order(_made())
    rows = [(row["symbol"], row["level"], row["fills"], row["volume"], row["pnl"]) for row in found["level"]]
    first, second = Fraction(1) - Fraction("0.01") - Fraction(1, 30), Fraction(2) - Fraction("0.01") - Fraction(1, 30)
    assert [row[:4] for row in rows] == [
        ("BTCUSDT", 1, 2, 203),
        ("BTCUSDT", 2, 1, 300),
        ("BTCUSDT", None, 1, 99),
        ("ETHUSDT", None, 1, 10),
    ]
    expected = [first + second, Fraction(0), Fraction(-1) - Fraction(1, 30), Fraction(0)]
    for (*_, pnl), exact in zip(rows, expected, strict=True):
        assert abs(Fraction(pnl) - exact) <= Fraction(1, 10**12)
    assert [(row["rule"], row["fills"]) for row in found["rule"]] == [
        ("A", 1), ("B", 1), ("OPENS", 1), (None, 1), (None, 1),
    ]  # fmt: skip
    assert {row["model"] for row in found["model"]} == {None}
    assert loads(dumps(found)) == found


def test_book_that_is_at_hand_says_what_a_new_one_does() -> None:
    """Guards `report`, which hands the book on that it has checked the file by; of one symbol, too."""
    book = checked_book(_made())
    found = realized_by_order(_made())
    assert realized_by_order(_made(), book) == found
    eth = {name: [row for row in rows if row["symbol"] == "ETHUSDT"] for name, rows in found.items()}
    assert all(eth.values())
    assert realized_by_order(_made(), book, "ETHUSDT") == eth


def test_text_and_page_tell_it_where_it_is_known() -> None:
    """Guards the reader: each figure, what is not known among them, and no line of nothing but that."""
    text = day_text(_made(), realized_by_order(_made()))
    assert "   By level of BTCUSDT: 1 +$2.9" in text
    assert " (2 fills), 2 $0.00 (1 fill), not known -$1.0" in text
    assert "   By rule of BTCUSDT: A +$0.9" in text
    assert "By level of ETHUSDT" not in text
    page = day_page(_made(), "x")
    assert "<caption>By level</caption>" in page
    assert "BTCUSDT not known" in page
    none = _document([buy(1, "1", "100")], [])
    assert "By level" not in day_text(none, realized_by_order(none)) + day_page(none, "x")
    assert realized_by_order({"date": "2025-11-30"}) == {name: [] for name in BY}


def test_a_table_of_one_row_is_none() -> None:
    """It would say of one level what stands above it already; `--json` has it."""
    one = _document([buy(1, "1", "100"), sell(2, "1", "103")], [FillDetail(level=1, rule="A")] * 2)
    assert [row["fills"] for row in realized_by_order(one)["level"]] == [2]
    assert "By " not in day_text(one, realized_by_order(one))
    assert "<caption>By" not in day_page(one, "x")


@settings(deadline=None, max_examples=60)
@given(FILLS, FILLS, _DETAILS)
def test_rows_add_up_to_the_result_to_the_last_unit(
    before: list[VenueTrade], fills: list[VenueTrade], details: list[FillDetail]
) -> None:
    """Guards the sum whatever closes what: with shares of fees that no decimal has, and lots of the day before."""
    former = DayBook(DAY, {"BTCUSDT": BTC})
    former.add(before, {"BNBUSDT": Decimal(600)})
    carried = Carried(lots={"BTCUSDT": list(former.symbols["BTCUSDT"].fifo.open_lots)}, instruments={"BTCUSDT": BTC})
    if not fills:
        return
    told = {key_of(trade): detail for trade, detail in zip(fills, details, strict=False)}
    document = unseen_document(DAY, fills, [BTC], {"BNBUSDT": Decimal(600)}, carried, told)
    for name, rows in realized_by_order(document).items():
        assert (
            sum(Fraction(row["pnl"]) for row in rows)
            == document["symbols"]["BTCUSDT"]["pnl"]
            == document["trades"]["pnl"]
        )
        assert sum(row["fills"] for row in rows) == len(fills)
        assert sum(Fraction(row["volume"]) for row in rows) == document["trades"]["volume"]
        assert len({(row["symbol"], row[name]) for row in rows}) == len(rows)
