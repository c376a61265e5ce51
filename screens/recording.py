"""What a recording holds, as text, from the document of its inspection."""

from decimal import Decimal

from market.exact_json import JsonObject
from market.words import counted
from screens.money import money_text

_KINDS = {
    "BookTicker": ("best price", "best prices"),
    "DepthUpdate": ("depth update", "depth updates"),
    "RecordedTrade": ("trade", "trades"),
    "Snapshot": ("snapshot", "snapshots"),
}


def recording_text(document: JsonObject) -> str:
    """Return a few lines: what, of when, how much of it, and every fault."""
    quote, counts = document["quote"], document["counts"]
    lines = [f"{document['file']}: {document['symbol']}, {document['bytes']:,} bytes"]
    if document["from"] is not None:
        lines.append(f"   {document['from']} to {document['to']}, {document['seconds']:,} s")
    found = [counted(counts[kind], *words) for kind, words in _KINDS.items() if kind in counts]
    lines.append(f"   {', '.join(found) or 'no records'}")
    if document["skipped"]:
        passed = ", ".join(f"{count:,} {what}" for what, count in document["skipped"].items())
        lines.append(f"   Passed over: {passed}")
    if document["first_price"] is not None:
        first, last = (Decimal(document[name]) for name in ("first_price", "last_price"))
        lines.append(f"   First trade {money_text(first, quote)}, last {money_text(last, quote)}")
    lines.append(f"   SHA-256 {document['sha256']}")
    return "\n".join([*lines, *(f"   Wrong: {fault}" for fault in document["faults"])])
