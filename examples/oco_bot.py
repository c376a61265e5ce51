"""A bot that trades with order lists through ccxt: it buys, and one pair of orders takes profit or stops the loss.

Each round is one OTOCO list: a purchase that the market fills at once, and behind it a pair of which one leg ends the
other. A call whose answer is lost is not repeated: the list is looked for by the name that the bot gave it. It runs
until Ctrl-C or for so many minutes, and ends with nothing open.

Usage: python examples/oco_bot.py [RUN_DIR] [URL] [MINUTES]
"""

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import ccxt

run_dir, url, minutes = (*sys.argv[1:], *("run", "http://127.0.0.1:8084", "inf")[len(sys.argv) - 1 :])
keys = dict(line.split("=") for line in Path(run_dir, "paper", "keys.env").read_text().split())
SYMBOL, MARKET, QTY = "BTC/USDT", "BTCUSDT", "0.002"
TARGET, STOP = 1.0004, 0.9996  # of the price that was paid
PATIENCE_S = 20.0  # then the list is cancelled, and what was bought is kept
UNKNOWN_LIST, UNKNOWN_ORDER = "-2018", "-2013"

exchange = ccxt.binance(
    {
        "apiKey": keys["TICKBUS_VENUE__API_KEY"],
        "secret": keys["TICKBUS_VENUE__SECRET"],
        "sandbox": True,
        "urls": {"test": {"public": f"{url}/api/v3", "private": f"{url}/api/v3", "v1": f"{url}/api/v1"}},
        "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
    }
)
lost = Counter[str]()  # calls without an answer


def ask(call: Any, *arguments: Any) -> Any:
    """Make a call that changes nothing, again and again until it is answered."""
    while True:
        try:
            return call(*arguments)
        except ccxt.NetworkError as error:
            lost[type(error).__name__] += 1
            time.sleep(0.5)


def try_once(call: Any, parameters: dict[str, Any]) -> None:
    """Make a call that changes something, once: who wants to know what became of it asks."""
    try:
        call(parameters)
    except ccxt.NetworkError as error:
        lost[type(error).__name__] += 1


def order_list(name: str) -> Any:
    """Return the list of a name, None if the exchange has none."""
    try:
        return ask(exchange.private_get_orderlist, {"origClientOrderId": name})
    except ccxt.ExchangeError as error:
        if UNKNOWN_LIST in str(error) or UNKNOWN_ORDER in str(error):
            return None
        raise


def trade(name: str) -> str:
    """Place one list, wait until it is done, and say how its legs ended."""
    while (price := ask(exchange.fetch_ticker, SYMBOL)["ask"]) is None:  # nobody sells
        time.sleep(0.1)
    near, far = (exchange.price_to_precision(SYMBOL, price * share) for share in (TARGET, STOP))
    legs = {"pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": near}
    legs |= {"pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": far}
    entry = {"workingType": "LIMIT", "workingSide": "BUY", "workingTimeInForce": "GTC", "workingQuantity": QTY}
    entry["workingPrice"] = exchange.price_to_precision(SYMBOL, price * TARGET)
    pair = {"symbol": MARKET, "listClientOrderId": name, "pendingSide": "SELL", "pendingQuantity": QTY}
    try_once(exchange.private_post_orderlist_otoco, pair | entry | legs)
    since_s = time.monotonic()
    while (placed := order_list(name)) is not None and placed["listOrderStatus"] != "ALL_DONE":
        if time.monotonic() - since_s > PATIENCE_S:
            try_once(exchange.private_delete_orderlist, {"symbol": MARKET, "listClientOrderId": name})
        time.sleep(0.1)
    if placed is None:
        return "never placed"
    orders = [
        ask(exchange.private_get_order, {"symbol": MARKET, "orderId": leg["orderId"]}) for leg in placed["orders"]
    ]
    return ", ".join(f"{order['type']} {order['status']}" for order in orders)


ask(exchange.load_markets)
ends, until_s = Counter[str](), time.monotonic() + 60 * float(minutes)
try:
    while time.monotonic() < until_s:
        ends[trade(f"oco-bot-{time.time_ns()}")] += 1
except KeyboardInterrupt:
    print()
for listed in ask(exchange.private_get_openorderlist):
    exchange.private_delete_orderlist({"symbol": MARKET, "orderListId": listed["orderListId"]})
if ask(
    exchange.fetch_open_orders, SYMBOL
):  # what is left of a leg that traded in part; the account's other orders, too
    exchange.cancel_all_orders(SYMBOL)
for end, count in ends.most_common():
    print(f"{count:5}  {end}")
print(f"calls without an answer: {dict(lost)}")
lists, orders = ask(exchange.private_get_openorderlist), ask(exchange.fetch_open_orders, SYMBOL)
print(f"open lists: {len(lists)}, orders: {len(orders)}")
