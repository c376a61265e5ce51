"""The account as text and as JSON: open orders, last trades, balances; and all accounts of the paper exchange."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from market.account import Balance, VenueOrder, VenueTrade, order_json, trade_json
from market.clock import iso_time
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument, format_decimal, plain
from market.words import state_since_text, state_text
from screens.money import amount_text, percent_text, price_text, qty_text

_ICONS = {Side.BUY: "📥", Side.SELL: "📤"}
_ACCOUNTS_HEAD = ("account", "api keys", "open orders", "resets", "fees in", "balances")
_KEY_CHARACTERS = 8
_Row = TypeVar("_Row", VenueOrder, VenueTrade)


def orders_text(orders: Iterable[VenueOrder], instruments: Sequence[Instrument]) -> str:
    """Return the open orders, a block for each symbol that has some, best price first on each side.

    Raises:
        ValueError: for an order in a symbol that is not among `instruments`.
    """
    ranked = sorted(orders, key=_best_first)
    return _blocks("📋 Open Orders", ranked, instruments, _order_line, f"Total Open Orders: {len(ranked)}")


def orders_json(orders: Iterable[VenueOrder]) -> JsonObject:
    """Return the open orders in the order in which `orders_text` shows them within a symbol."""
    rows = [order_json(order) for order in sorted(orders, key=_best_first)]
    return {"orders": rows, "total_open_orders": len(rows)}


def maker_text(maker: JsonObject) -> str:
    """Return a line on the maker of the orders: its state, which side has none and why, its presence."""
    is_ready = maker["state"] == "ready"
    said = [f"the maker {state_text('ready') if is_ready else state_since_text(maker['state'], maker['since'])}"]
    if maker["failing"]:
        said.append(maker["failing"])
    said += [f"no {side}: {rule}" for side, rule in maker["idle"].items()]
    if maker["presence"] is not None:
        minute, today = (percent_text(maker[name]) for name in ("presence_minute", "presence"))
        of_minute = "" if maker["presence_minute"] is None else f"{minute} of the last minute, "
        within = f"{format_decimal(maker['presence_within'] * 10_000)} bps of the mid"
        said.append(f"two-sided within {within} for {of_minute}{today} of today")
        said.append(f"target {percent_text(maker['presence_target'])}")
    return ", ".join(said)


def trades_text(trades: Iterable[VenueTrade], instruments: Sequence[Instrument], limit: int = 100) -> str:
    """Return the last `limit` trades, oldest first, a block for each symbol that has some.

    Raises:
        ValueError: for a trade in a symbol that is not among `instruments`.
    """
    last = _page(trades, limit, 1)
    return _blocks("🧾 Trades", last, instruments, _trade_line, f"Total Trades: {len(last)}")


def trades_json(trades: Iterable[VenueTrade], limit: int = 100) -> JsonObject:
    """Return the last `limit` trades of all symbols, oldest first."""
    rows = [trade_json(trade) for trade in _page(trades, limit, 1)]
    return {"trades": rows, "total_trades": len(rows)}


def balances_text(balances: Mapping[str, Balance], instruments: Iterable[Instrument], show_all: bool = False) -> str:
    """Return what the account holds of the traded assets and how many others it holds, or of every asset."""
    shown = _shown(balances, instruments, show_all)
    others = _others(balances, shown)
    lines = [f"   {asset}: {_balance_line(asset, balances[asset])}" for asset in shown]
    rest = f" (and {others} other{'s' if others > 1 else ''}: --all shows them)" if others else ""
    return "\n".join(["💰 Balances:", *(lines or ["   none"]), "", f"Total Assets: {len(shown)}{rest}"])


def balances_json(
    balances: Mapping[str, Balance], instruments: Iterable[Instrument], show_all: bool = False
) -> JsonObject:
    """Return the assets that `balances_text` shows, and how many others hold something."""
    shown = _shown(balances, instruments, show_all)
    return {
        "balances": {
            asset: {"free": plain(balances[asset].free), "locked": plain(balances[asset].locked)} for asset in shown
        },
        "other_assets": _others(balances, shown),
    }


def history_text(
    orders: Sequence[VenueOrder] | None,
    trades: Sequence[VenueTrade],
    instruments: Sequence[Instrument],
    limit: int,
    page: int,
) -> str:
    """Return a page of ended orders (None: not known) and of trades, oldest first; page 1 is the newest."""
    shown = _page(trades, limit, page)
    blocks = [_blocks("🧾 Trades", shown, instruments, _trade_line, _page_phrase("Trades", trades, limit, page))]
    if orders is not None:
        last = _page_phrase("Ended Orders", orders, limit, page)
        blocks.insert(0, _blocks("📋 Ended Orders", _page(orders, limit, page), instruments, _ended_line, last))
    return "\n\n".join(blocks)


def history_json(
    orders: Sequence[VenueOrder] | None, trades: Sequence[VenueTrade], limit: int, page: int
) -> JsonObject:
    """Return what `history_text` shows; `orders` is null where they are not known."""
    return {
        "page": page,
        "pages": pages_of(orders, trades, limit),
        "orders": None if orders is None else [order_json(order) for order in _page(orders, limit, page)],
        "total_orders": None if orders is None else len(orders),
        "trades": [trade_json(trade) for trade in _page(trades, limit, page)],
        "total_trades": len(trades),
    }


def pages_of(orders: Sequence[VenueOrder] | None, trades: Sequence[VenueTrade], limit: int) -> int:
    """Return how many pages of `limit` rows there are of both, one at least."""
    return max(_pages(trades, limit), _pages(orders or (), limit))


def _page(rows: Iterable[_Row], limit: int, page: int) -> list[_Row]:
    """Return the `limit` rows of `page`, counted from the newest, oldest first."""
    ordered = sorted(rows, key=_in_time)
    end = max(0, len(ordered) - limit * (page - 1))
    return ordered[max(0, end - limit) : end]


def _pages(rows: Sequence[VenueOrder] | Sequence[VenueTrade], limit: int) -> int:
    return max(1, -(-len(rows) // limit))


def _page_phrase(what: str, rows: Sequence[VenueOrder] | Sequence[VenueTrade], limit: int, page: int) -> str:
    pages = _pages(rows, limit)
    return f"Total {what}: {len(rows):,}" + (f" (page {page} of {pages}, the newest is 1)" if pages > 1 else "")


def _in_time(row: VenueOrder | VenueTrade) -> tuple[int, str, int, str]:
    return row.time_ms, row.symbol, row.trade_id if isinstance(row, VenueTrade) else 0, row.order_id


def _ended_line(order: VenueOrder, instrument: Instrument) -> str:
    """Return the order as it was entered, with what was filled of it."""
    filled = f"{qty_text(order.filled_qty, instrument)} of {qty_text(order.qty, instrument)} {instrument.base}"
    side = f"{_ICONS[order.side]} {order.side.name}"
    price = _price_phrase(order, instrument) + _average_phrase(order, instrument)
    return f"{iso_time(order.time_ms)} {side}: {filled} {price} ({order.status}, id {order.order_id})"


def account_json(balances: Mapping[str, Balance], orders: Iterable[VenueOrder], symbol: str) -> JsonObject:
    """Return what the account holds of each asset, free and locked together, and its open orders, best price first.

    An order in another symbol than `symbol` names its own.
    """
    return {
        "balances": {asset: plain(balance.total) for asset, balance in balances.items() if balance.total},
        "open_orders": [
            {"side": order.side.name, "price": plain(order.price), "quantity": plain(order.leaves_qty)}
            | ({} if order.symbol == symbol else {"symbol": order.symbol})
            for order in sorted(orders, key=_best_first)
        ],
    }


def accounts_text(accounts: Sequence[dict[str, Any]], instruments: Iterable[Instrument]) -> str:
    """Return a line for each account, with its balances in the assets that are traded."""
    assets = _traded(instruments)
    rows = [_ACCOUNTS_HEAD, *(_account_row(account, assets) for account in accounts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", f"Total Accounts: {len(accounts)}"])


def order_text(order: VenueOrder, instrument: Instrument) -> str:
    """Return `NEW 📥 BUY: 0.01 BTC @ $91,000.00 (order 1000000000042)`, and what it has traded."""
    price = _price_phrase(order, instrument)
    traded = f", {qty_text(order.filled_qty, instrument)} of it traded" if order.filled_qty else ""
    traded += _average_phrase(order, instrument)
    what = f"{_ICONS[order.side]} {order.side.name}: {qty_text(order.qty, instrument)} {instrument.base} {price}"
    return f"{order.status} {what}{traded} (order {order.order_id})"


def _price_phrase(order: VenueOrder, instrument: Instrument) -> str:
    return f"@ {price_text(order.price, instrument)}" if order.price else "at the market"


def _average_phrase(order: VenueOrder, instrument: Instrument) -> str:
    """Return what a market order has traded at, if somebody says so; a limit order tells its price."""
    if order.price or order.fill_price is None:
        return ""
    return f" @ {price_text(order.fill_price.quantize(instrument.tick_size), instrument)} on average"


def _blocks(
    title: str,
    rows: Sequence[_Row],
    instruments: Sequence[Instrument],
    line: Callable[[_Row, Instrument], str],
    total: str,
) -> str:
    """Return a block of lines for each symbol with rows, one saying `none` when there are no rows at all."""
    strangers = {row.symbol for row in rows} - {instrument.symbol for instrument in instruments}
    if strangers:
        known = ", ".join(instrument.symbol for instrument in instruments)
        raise ValueError(f"expected symbols among {known}, was {', '.join(sorted(strangers))}")
    lines: list[str] = []
    for instrument in instruments:
        own: list[str] = [f"   {line(row, instrument)}" for row in rows if row.symbol == instrument.symbol]
        if own:
            lines += [f"{title} ({instrument.symbol}):", *own, ""]
    if not lines:
        lines = [f"{title} ({', '.join(instrument.symbol for instrument in instruments)}):", "   none", ""]
    return "\n".join([*lines, total])


def _best_first(order: VenueOrder) -> tuple[Side, Decimal, int, str]:
    better = -order.price if order.side is Side.BUY else order.price
    return order.side, better, order.time_ms, order.order_id


def _order_line(order: VenueOrder, instrument: Instrument) -> str:
    """Return `📥 BUY: 0.01094 BTC @ $91,202.23`, a partly filled one as `0.00594 of 0.01094 BTC`."""
    qty = qty_text(order.leaves_qty, instrument)
    if order.filled_qty:
        qty += f" of {qty_text(order.qty, instrument)}"
    return f"{_ICONS[order.side]} {order.side.name}: {qty} {instrument.base} @ {price_text(order.price, instrument)}"


def _trade_line(trade: VenueTrade, instrument: Instrument) -> str:
    fee = f"fee {amount_text(trade.fee, trade.fee_asset)} {trade.fee_asset}" if trade.fee else "no fee"
    role = "maker" if trade.is_maker else "taker"
    return (
        f"{iso_time(trade.time_ms)} {_ICONS[trade.side]} {trade.side.name}: {qty_text(trade.qty, instrument)} "
        f"{instrument.base} @ {price_text(trade.price, instrument)} ({role}, {fee})"
    )


def _shown(balances: Mapping[str, Balance], instruments: Iterable[Instrument], show_all: bool) -> list[str]:
    """Return the assets to show: the traded ones first, in the order of the instruments."""
    traded = _traded(instruments)
    first = [asset for asset in traded if asset in balances and (show_all or balances[asset].total)]
    return first + sorted(balances.keys() - set(traded)) if show_all else first


def _traded(instruments: Iterable[Instrument]) -> list[str]:
    return list(dict.fromkeys(asset for one in instruments for asset in (one.base, one.quote)))


def _others(balances: Mapping[str, Balance], shown: Iterable[str]) -> int:
    """Return how many assets with something in them are not shown."""
    held = {asset for asset, balance in balances.items() if balance.total}
    return len(held - set(shown))


def _balance_line(asset: str, balance: Balance) -> str:
    free = f"{amount_text(balance.free, asset)} free"
    return f"{free}, {amount_text(balance.locked, asset)} locked" if balance.locked else free


def _account_row(account: dict[str, Any], assets: Sequence[str]) -> tuple[str, ...]:
    keys = ", ".join(f"{key[:_KEY_CHARACTERS]}..." for key in account["apiKeys"])
    resets = str(account["resets"])
    if account["resets"]:
        resets += f", last {iso_time(account['resetTime'])}"
    balances = account["balances"]
    held = ", ".join(f"{balances[asset].rstrip('0').rstrip('.')} {asset}" for asset in assets if asset in balances)
    fees = "BNB" if account["paysInBnb"] else "-"
    return str(account["account"]), keys, str(account["openOrders"]), resets, fees, held
