"""The desk on the terminal: its nodes, and where it can be reached."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.table import Table

_STYLES = {"ready": "green", "silent": "red", "failed": "red"} | dict.fromkeys(
    ("starting", "warming", "restarting", "stopping"), "yellow"
)


def nodes_table(status: Mapping[str, Any]) -> Table:
    """Return the table of nodes of a status document: node, pid, endpoint, state, uptime, restarts."""
    table = Table(
        title=f"tickbus · {status['symbol']} on {status['venue']} · {status['run_dir']}", title_justify="left"
    )
    for name, justify in (("node", "left"), ("pid", "right"), ("endpoint", "left"), ("state", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("uptime", justify="right")
    table.add_column("restarts", justify="right")
    for row in status["nodes"]:
        endpoint = row["endpoints"].get("http") or row["endpoints"].get("tcp") or ""
        style = _STYLES.get(row["state"], "dim")
        uptime = "" if row["uptime_s"] is None else uptime_text(row["uptime_s"])
        pid = str(row["pid"] or "")
        table.add_row(row["node"], pid, endpoint, f"[{style}]{row['state']}[/]", uptime, str(row["restarts"] or ""))
    return table


def addresses(status: Mapping[str, Any]) -> list[str]:
    """Return a line for each way to reach the desk: the URLs, the gateway, the feed."""
    endpoints = {row["node"]: row["endpoints"] for row in status["nodes"]}
    lines = []
    if "http" in endpoints.get("api", {}):
        lines.append(f"order book       {endpoints['api']['http']}/api/orderbook")
    if "http" in endpoints.get("paper", {}):
        lines.append(f"paper exchange   {endpoints['paper']['http']}")
    gateways = [each["tcp"] for name, each in endpoints.items() if name.startswith("gateway") and "tcp" in each]
    if gateways:
        lines.append(f"order gateway    tcp {', '.join(gateways)}")
    if feeds := [each["feed"] for name, each in endpoints.items() if name.startswith("engine") and "feed" in each]:
        lines.append(f"book feed        {', '.join(feeds)}")
    return lines


def activity(status: Mapping[str, Any]) -> str:
    """Return one line on what the maker does: its quotes, the mid, its trades and what they earned."""
    figures = {row["node"]: row["figures"] for row in status["nodes"]}
    maker, tracker = figures.get("maker", {}), figures.get("tracker", {})
    engines = [each for name, each in figures.items() if name.startswith("engine")]
    if halted := [symbol for each in engines for symbol in each.get("halted", ())]:
        return f"HALTED           {', '.join(halted)}: no new orders; go on with: python cli.py resume"
    if "mid" not in maker:
        return ""
    bid, ask, mid = (_price(maker.get(name)) for name in ("bid", "ask", "mid"))
    line = f"maker            bid {bid} · mid {mid} · ask {ask}"
    return line + (
        f" · {tracker['trades']} trades today, PnL {_price(tracker.get('pnl'))}" if "trades" in tracker else ""
    )


def _price(text: str | None) -> str:
    return "-" if text in (None, "None") else f"{Decimal(str(text)):,.2f}"


def uptime_text(seconds: float) -> str:
    """Return a duration as a person says it: `12 s`, `3 m 05 s`, `2 h 10 m`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60:02d} m"
