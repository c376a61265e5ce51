"""The call that cancels one order and places another: it may succeed, fail, or be half done."""

from typing import Any, Final

from paper.calls import account_calls
from paper.calls.call import Call
from paper.calls.documents import Document
from paper.calls.parameters import CancelReplaceMode, RateLimitMode
from paper.errors import ErrorKind, ExchangeError

_SUCCESS: Final = "SUCCESS"
_FAILURE: Final = "FAILURE"
_NOT_ATTEMPTED: Final = "NOT_ATTEMPTED"


async def replace_order(call: Call) -> Document:
    """Cancel an order and place another.

    The new order is read, filtered and counted before anything is cancelled, so that a fault in it leaves the old one
    alone. Only what depends on the cancel, above all the funds, is found out after it.

    Raises:
        ExchangeError: REPLACE_FAILED if nothing was done, REPLACE_HALF_DONE if one half was; the data tell of both.
            TIMEOUT if the engine has not answered one half: to call that failed would let a client place it again.
    """
    request = account_calls.read_request(call)
    call.exchange.check(call.account, request, call.now_ns)
    may_place = _may_place(call)
    cancelled: Any = None
    placed: Any = None
    cancel_result, new_result = _SUCCESS, _NOT_ATTEMPTED
    try:
        cancelled = await account_calls.cancel_named(
            call,
            order_id=call.get("cancelOrderId"),
            client_order_id=call.get("cancelOrigClientOrderId"),
            request_id=call.get("cancelNewClientOrderId", ""),
        )
    except ExchangeError as error:
        _raise_if_unknown(error)
        cancel_result, cancelled = _FAILURE, error.document
    if may_place and (cancel_result == _SUCCESS or call.values["cancelReplaceMode"] is CancelReplaceMode.ALLOW_FAILURE):
        try:
            placed, new_result = await account_calls.place(call, request), _SUCCESS
        except ExchangeError as error:
            _raise_if_unknown(error)
            placed, new_result = error.document, _FAILURE
    document = {
        "cancelResult": cancel_result,
        "newOrderResult": new_result,
        "cancelResponse": cancelled,
        "newOrderResponse": placed,
    }
    if cancel_result == new_result == _SUCCESS:
        return document
    is_half_done = _SUCCESS in {cancel_result, new_result}
    raise ExchangeError(ErrorKind.REPLACE_HALF_DONE if is_half_done else ErrorKind.REPLACE_FAILED, data=document)


def _raise_if_unknown(error: ExchangeError) -> None:
    if error.kind is ErrorKind.TIMEOUT:
        raise error


def _may_place(call: Call) -> bool:
    """Count the new order; over the limit the client may still want the cancel.

    Raises:
        ExchangeError: TOO_MANY_ORDERS if it wants nothing then.
    """
    try:
        call.usage.charge_order(call.account, call.now_s)
    except ExchangeError:
        if call.get("orderRateLimitExceededMode") is not RateLimitMode.CANCEL_ONLY:
            raise
        return False
    return True
