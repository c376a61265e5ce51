"""The life of an order as a person reads it."""

from market.clock import NS_PER_MS, iso_time
from market.exact_json import JsonObject


def trace_text(document: JsonObject) -> str:
    """Return a line for each step, oldest first, with how long after the first one it was."""
    ids = document["client_order_id"] + ("" if document["order_id"] is None else f", order {document['order_id']}")
    head = f"{ids}, {document['symbol']}" + ("" if document["status"] is None else f": {document['status']}")
    steps = document["steps"]
    first_ns = steps[0]["time_ns"]
    lines = [head, f"from {iso_time(first_ns // NS_PER_MS)} on"]
    width = max(len(step["node"]) for step in steps)
    for step in steps:
        after = f"{(step['time_ns'] - first_ns) / NS_PER_MS:+,.3f} ms"
        why = f"  {step['why']}" if step["why"] else ""
        lines.append(f"{after:>16}  {step['node']:<{width}}  {step['what']}{why}")
    return "\n".join(lines)
