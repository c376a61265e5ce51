"""The JSON documents of matches that self-trade prevention has prevented."""

from typing import Any, Final

from paper.money.prevented_match import PreventedMatch

Document = dict[str, Any]

NO_TRADE_GROUP: Final = -1  # no account shares its self-trade prevention with another one


def prevented_match(match: PreventedMatch) -> Document:
    """Return a match that was prevented."""
    return {
        "symbol": match.symbol.name,
        "takerOrderId": match.taker_id,
        "tradeGroupId": NO_TRADE_GROUP,
        "selfTradePreventionMode": match.mode.name,
        "transactTime": match.time_ms,
        **of_taker(match),
    }


def of_taker(match: PreventedMatch) -> Document:
    """Return what the answer to the taker tells of a prevented match; what an order has not lost is left out."""
    symbol = match.symbol
    lost = {"takerPreventedQuantity": match.taker_lots, "makerPreventedQuantity": match.maker_lots}
    return {
        "preventedMatchId": match.match_id,
        "makerSymbol": symbol.name,
        "makerOrderId": match.maker_id,
        "price": symbol.price_text(match.price_ticks),
        **{name: symbol.qty_text(lots) for name, lots in lost.items() if lots},
    }
