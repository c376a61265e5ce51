"""The market that a desk trades on, in words."""

from decimal import Decimal

from market.exact_json import JsonObject
from market.instrument import format_decimal


def market_text(market: JsonObject) -> str:
    """Return where the account trades: `paper exchange, synthetic market (practice, seed 7); fees 0.1 % ...`."""
    if not market:
        return ""
    if market["venue"] != "paper" and market.get("url"):
        return f"{market['venue']} as played by {market['url']}; fees as it takes them"
    if market["venue"] != "paper":
        return f"{market['venue']}; fees as the venue takes them"
    flow = market.get("flow")
    if flow is None:
        return f"paper exchange at {market.get('url')}; fees as it takes them"
    kind, _, rest = flow.partition(":")
    kinds = {
        "synthetic": f"synthetic market ({rest}, seed {market.get('seed')})",
        "replay": f"replay of {rest or 'recordings'}",
        "live": f"prices of a live market{f' ({rest})' if rest else ''}",
        "none": "without a market of its own",
    }
    maker, taker = (f"{format_decimal(Decimal(market[f'{side}_fee']) * 100)} % {side}" for side in ("maker", "taker"))
    return f"paper exchange, {kinds.get(kind, flow)}; fees {maker}, {taker}"
