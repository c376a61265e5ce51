"""What `why` prints."""

from decimal import Decimal

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
            "sides": [{**terms, "price": "91348.50000000", "qty": "0.01000000"}],
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
