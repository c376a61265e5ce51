"""What a run would have earned with other settings, as text."""

from market.exact_json import JsonObject
from market.words import counted
from screens.money import gain_text, money_text, percent_text

CAVEAT = "Others do not react here: what they sent is what they sent."


def whatif_text(document: JsonObject) -> str:
    """Return the two runs side by side, and what lies between them."""
    quote, difference = document["quote"], document["difference"]
    first, last = (document[name][:19] for name in ("from", "to"))
    lines = [f"🔁 {document['symbol']} from {first} to {last}:"]
    if document["actual"] is not None:
        lines.append(_run_line("the desk", document["actual"], quote))
    lines.append(_run_line("traded again as it was", document["again"], quote))
    lines += [f"   {line}" for line in _likeness(document)]
    lines += [
        f"   set at {change['time'][11:19]}, and here as well: {change['key']} {change['before'] or 'not set'} -> "
        f"{change['now'] or 'not set'}"
        for change in document.get("settings_changes", ())
    ]
    if difference is None:
        return "\n".join(lines)
    changes = ", ".join(f"{key} {document['was'][key]} -> {value}" for key, value in document["set"].items())
    lines += [f"   with {changes}:", _run_line("changed", document["changed"], quote)]
    lines.append(f"   Difference: {gain_text(difference['pnl'], quote)}{_interval_phrase(difference)}")
    return "\n".join([*lines, f"   {CAVEAT}"])


def _likeness(document: JsonObject) -> list[str]:
    """Return how near a run that is traded again comes to what it was."""
    if document["is_identical"] is None:
        if document["same_fills"] is None:
            return ["nothing was filled in either"]
        near, same = (percent_text(document[name]) for name in ("near_fills", "same_fills"))
        return [
            f"filled in both, of one side and at most 5 s apart: {near} of the lots; at one price, too: {same}",
            "a live maker looks at the market at other moments, so some quotes stand ticks away: a change is measured "
            "between two runs here, never against the desk",
        ]
    if document["is_identical"]:
        return ["with nothing changed every fill and daily file is the same, byte for byte"]
    return ["with nothing changed the daily files are OTHERS; what it says of a change means nothing"]


def _run_line(name: str, figures: JsonObject, quote: str) -> str:
    fees, volume = (money_text(figures[each], quote) for each in ("fees", "volume"))
    pnl = gain_text(figures["pnl"], quote)
    return f"   {name}: {counted(figures['fills'], 'fill')}, volume {volume}, fees {fees}, PnL {pnl}"


def _interval_phrase(difference: JsonObject) -> str:
    if difference["why"] is not None:
        return f" (no interval: {difference['why']})"
    low, high = (f"{difference[name]:+,.2f}" for name in ("low", "high"))
    return f" (95 % from {low} to {high}; {counted(difference['blocks'], 'block')} of {difference['block_s']} s)"
