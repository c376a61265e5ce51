"""What Binance Spot is asked to do with orders: the parameters of its calls, the same over HTTP and over sockets."""

from market.instrument import Instrument
from trading.actions import Amend, Move, Place


def placing(instrument: Instrument, place: Place) -> dict[str, str]:
    """Return what enters a limit order: Binance Spot API docs, "New order"."""
    return {
        "symbol": instrument.symbol,
        "side": place.side.name,
        **kind_of_order(is_taking=place.is_taking),
        "quantity": f"{instrument.lots_to_qty(place.qty_lots):f}",
        "price": f"{instrument.ticks_to_price(place.price_ticks):f}",
        "newClientOrderId": place.client_order_id,
        "newOrderRespType": "RESULT",
    }


def moving(instrument: Instrument, move: Move) -> dict[str, str]:
    """Return what cancels an order and then enters another: "Cancel an existing order and send a new order".

    Without the cancel there is no new order, which would double the old one. Of too many orders the venue still takes
    the cancel: an order at a price that is not wanted any more does not stand until there is room for the next.
    """
    return {
        **placing(instrument, move.place),
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "orderRateLimitExceededMode": "CANCEL_ONLY",
        "cancelOrderId": move.cancel.order_id,
    }


def amending(instrument: Instrument, amend: Amend) -> dict[str, str]:
    """Return what makes an order smaller: "Order amend keep priority". It would get a new name if it were not told."""
    return {
        "symbol": instrument.symbol,
        "orderId": amend.order_id,
        "newQty": f"{instrument.lots_to_qty(amend.qty_lots):f}",
        "newClientOrderId": amend.client_order_id,
    }


def kind_of_order(*, is_taking: bool) -> dict[str, str]:
    """Return the type of a limit order: post-only, or one that trades at once or ends."""
    return {"type": "LIMIT", "timeInForce": "IOC"} if is_taking else {"type": "LIMIT_MAKER"}
