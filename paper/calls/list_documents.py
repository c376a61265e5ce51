"""The JSON documents of order lists, with Binance's names."""

from collections.abc import Sequence

from paper.calls.documents import Document
from paper.exchange.news import ListStatusType
from paper.money.order_list import ListStatus, OrderList


def order_list(of: OrderList) -> Document:
    """Return an order list as a question about it is answered."""
    is_executing = of.status is ListStatus.EXECUTING
    return {
        "orderListId": of.list_id,
        "contingencyType": str(of.contingency),
        "listStatusType": str(ListStatusType.EXEC_STARTED if is_executing else ListStatusType.ALL_DONE),
        "listOrderStatus": str(of.status),
        "listClientOrderId": of.client_list_id,
        "transactionTime": of.time_ms,
        "symbol": of.symbol.name,
        "orders": [
            {"symbol": of.symbol.name, "orderId": leg.order_id, "clientOrderId": leg.client_order_id} for leg in of.legs
        ],
    }


def list_status(of: OrderList) -> Document:
    """Return what the answer to an amend of a leg tells of its list."""
    told = order_list(of)
    names = ("orderListId", "contingencyType", "listOrderStatus", "listClientOrderId", "symbol", "orders")
    return {name: told[name] for name in names}


def reported_list(of: OrderList, reports: Sequence[Document], time_ms: int) -> Document:
    """Return the answer to what has placed or cancelled a list; `reports` tell of its legs one by one."""
    return order_list(of) | {"transactionTime": time_ms, "orderReports": list(reports)}
