"""What `why` prints."""

from decimal import Decimal

from market.exact_json import JsonObject
from screens.why import why_text


def test_same_number_is_written_the_same_whoever_told_it() -> None:
    """The venue writes eight decimals, the pair those of its steps."""
    terms = {"side": "BUY", "rule": "WANTED", "why": "it is wanted"}
    text = why_text(
        {
            "symbol": "BTCUSDT",
            "venue": "paper",
            "maker": "ready",
            "withdrawn": None,
            "halted": [],
            "sides": [{**terms, "price": "91348.50000000", "qty": "0.01000000", "quotes": []}],
            "decisions": [
                {
                    **terms,
                    "time": "2026-11-29T08:55:22.001Z",
                    "action": "cancel",
                    "price": price,
                    "qty": Decimal("0.010"),
                }
                for price in (Decimal("91348.50"), 91348, None)
            ],
        },
        "",
    )
    assert text.splitlines() == [
        "BTCUSDT on paper, maker ready",
        "bid  0.01 at 91348.5  WANTED  it is wanted",
        "",
        "last decisions, UTC",
        "2026-11-29 08:55:22  cancel  bid  0.01 at 91348.5  WANTED  it is wanted",
        "2026-11-29 08:55:22  cancel  bid  0.01 at 91348    WANTED  it is wanted",
        "2026-11-29 08:55:22  cancel  bid                   WANTED  it is wanted",
    ]


def test_every_quote_of_a_side_is_told_and_what_is_halted() -> None:
    """Of several levels the nearest alone was shown, and nothing of levels, hanging, and a halt that is kept."""
    near, far = (
        {"side": "BUY", "price": price, "qty": "0.01", "rule": "TOLERANCE", "why": "w", "level": level} | more
        for price, level, more in (("9", 1, {}), ("8", 2, {"is_hanging": True}))
    )
    none: JsonObject = {"side": "SELL", "price": None, "qty": None, "rule": "HALTED", "why": "halted", "quotes": []}
    head = {"symbol": "BTCUSDT", "venue": "paper", "maker": "ready", "withdrawn": None, "halted": ["BTCUSDT"]}
    text = why_text({**head, "sides": [{**near, "quotes": [near, far]}, none], "decisions": []}, "python cli.py resume")
    assert text.splitlines() == [
        "BTCUSDT on paper, maker ready",
        "HALTED BTCUSDT: no new orders; go on with: python cli.py resume",
        "bid  0.01 at 9  level 1         TOLERANCE  w",
        "bid  0.01 at 8  level 2, hangs  TOLERANCE  w",
        "ask  no quote                   HALTED     halted",
    ]


def test_one_quote_a_side_is_no_level() -> None:
    """Nothing is told by it."""
    quote: JsonObject = {"side": "BUY", "price": "9", "qty": "1", "rule": "WANTED", "why": "w", "level": 1}
    head: JsonObject = {"symbol": "BTCUSDT", "venue": "paper", "maker": "ready", "withdrawn": None, "halted": []}
    text = why_text({**head, "sides": [{**quote, "quotes": [quote]}], "decisions": []}, "")
    assert text.splitlines()[1:] == ["bid  1 at 9  WANTED  w"]
