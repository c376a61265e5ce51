"""`/metrics`: the desk's figures in the text format of Prometheus, made anew for each who asks.

What a node says of itself comes with the supervisor's status; of the book feed and its age the api knows itself. No
order is observed here: the nodes count in arrays, and tell them once a second. Labels are names of nodes, symbols,
stages, and codes, of which there are a few dozen.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from market.clock import NS_PER_SECOND
from nodes.api.sources import DeskView, Source
from nodes.flow_counts import flow_counts
from nodes.latencies import BOUNDS_NS

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_NS: Final = 1 / NS_PER_SECOND
_MS: Final = 1 / 1_000
_BOUNDS: Final = (*(str(bound / NS_PER_SECOND) for bound in BOUNDS_NS), "+Inf")


class _Figure(NamedTuple):
    """A figure of a kind of node, and what it is called here; one that only rises ends in `_total`.

    Attributes:
        label: if the figure has several values: what their names are.
        unit: what a value is multiplied with.
    """

    kind: str
    path: str
    name: str
    text: str
    label: str = ""
    unit: float = 1.0


FIGURES: Final = (
    _Figure("engine", "commands", "engine_commands_total", "Commands handled since the journal began."),
    _Figure("engine", "sequence", "engine_sequence", "Number of the last event."),
    _Figure("engine", "live_orders", "engine_live_orders", "Orders resting in the books."),
    _Figure("engine", "events", "engine_events_total", "Events since the start, by kind.", "event"),
    _Figure("engine", "rejects", "engine_rejects_total", "Commands refused since the start, by reason.", "reason"),
    _Figure("engine", "bad_frames", "engine_bad_frames_total", "Frames that were none of the order link."),
    _Figure("engine", "term", "engine_term", "How often an engine has taken another one's place."),
    _Figure("engine", "journal_records", "journal_records_total", "Records in the journal, from its beginning."),
    _Figure("engine", "journal_waiting", "journal_waiting_records", "Records not acknowledged yet."),
    _Figure("engine", "checkpoint", "checkpoint_record", "Record behind which the newest checkpoint stands."),
    _Figure("engine", "recovery_s", "recovery_seconds", "How long the last start took to have the book again."),
    _Figure("engine", "recovered_records", "recovered_records", "Records that the last start replayed."),
    _Figure("engine", "standby_lag", "standby_lag_records", "Records that the standby has not yet."),
    _Figure("engine", "standby_follows", "standby_follows", "1 while a standby follows."),
    _Figure("engine", "lane", "engine_lane", "1 while what is ordinary is done by compiled code alone."),
    _Figure("gateway", "clients", "gateway_clients", "Connected clients."),
    _Figure("gateway", "sessions", "gateway_sessions", "Sessions with a name."),
    _Figure("gateway", "open_orders", "gateway_open_orders", "Open orders of the sessions."),
    _Figure("gateway", "orders", "gateway_orders_total", "Commands of clients taken since the start."),
    _Figure("gateway", "rejected", "gateway_rejected_total", "Commands of clients refused by the gateway itself."),
    _Figure("gateway", "malformed", "gateway_malformed_total", "Clients cut off for bytes that are no message."),
    _Figure("gateway", "turned_away", "gateway_turned_away_total", "Clients turned away."),
    _Figure("gateway", "in_flight", "gateway_in_flight", "Commands that the engines are not done with."),
    _Figure("paper", "open_orders", "exchange_open_orders", "Open orders of all accounts of the paper exchange."),
    _Figure("paper", "lost_reports", "exchange_lost_reports_total", "Reports that the exchange has missed."),
    _Figure("paper", "is_connected", "exchange_connected", "1 while all engines answer the paper exchange."),
    _Figure("flow", "commands", "flow_commands_total", "Commands of the synthetic or replayed market."),
    _Figure("flow", "trades", "flow_trades_total", "Trades of the synthetic or replayed market."),
    _Figure("flow", "behind_ms_max", "flow_behind_seconds", "How late the flow has been at most.", unit=_MS),
    _Figure("maker", "placed", "maker_placed_total", "Orders placed since the maker started."),
    _Figure("maker", "cancelled", "maker_cancelled_total", "Orders cancelled by the maker."),
    _Figure("maker", "filled", "maker_fills_total", "Fills since the maker started."),
    _Figure("maker", "refused", "maker_refused_total", "Quotes refused by the venue."),
    _Figure("maker", "unknown", "maker_unknown_total", "Orders whose fate was unknown for a while."),
    _Figure("maker", "picked_off", "maker_picked_off", "Fills of the day while a cancel was on its way."),
    _Figure("maker", "position", "position", "What is held more than is neutral, in the base asset."),
    _Figure("maker", "presence", "presence_ratio", "Share of the day with quotes on both sides near the mid."),
    _Figure("maker", "mid", "mid_price", "Mid that the maker goes by."),
    _Figure("maker", "bid", "bid_price", "Our best bid."),
    _Figure("maker", "ask", "ask_price", "Our best ask."),
    _Figure("maker", "lost_today", "lost_today", "Lost since midnight, in the quote asset; below 0: gained."),
    _Figure("maker", "loss_max", "loss_max", "What may be lost in a day."),
    _Figure("maker", "below_peak", "below_peak", "How far the equity is below its peak, in the quote asset."),
    _Figure("maker", "position_use", "position_use_ratio", "Share of the largest position that is held."),
    _Figure("maker", "lost_decisions", "lost_decisions_total", "Decisions that could not be written down."),
    _Figure("maker", "venue.requests", "venue_requests_total", "Requests to the venue, by kind.", "request"),
    _Figure("maker", "venue.errors", "venue_errors_total", "What the venue said no to, by its code.", "code"),
    _Figure("maker", "venue.unfilled", "venue_unfilled_orders", "Orders sent that have not traded.", "window"),
    _Figure("maker", "venue.unfilled_max", "venue_unfilled_orders_max", "Most of them that may be.", "window"),
    _Figure("tracker", "trades", "day_trades", "Trades of the day."),
    _Figure("tracker", "marked_pnl", "day_pnl", "Result of the day at the mid, after fees, in the quote asset."),
    _Figure("tracker", "pnl", "day_realized", "Realized result of the day."),
    _Figure("tracker", "unrealized", "day_unrealized", "Unrealized result of the day."),
    _Figure("tracker", "fees", "day_fees", "Fees of the day."),
    _Figure("tracker", "spread_capture", "day_spread_capture", "What fills of the day earned against the mid."),
    _Figure("tracker", "inventory_pnl", "day_inventory_pnl", "What the mid then did to what was held."),
    _Figure("tracker", "is_sound", "books_sound", "1 while the day's trades moved just what the account has."),
    _Figure("tracker", "equity", "equity", "What the account is worth, in the quote asset."),
    _Figure("tracker", "writes", "tracker_writes_total", "Daily files written."),
    _Figure("tracker", "failures", "tracker_failures_total", "Readings or writings that failed."),
)


class FeedFigures(NamedTuple):
    """What the api knows of one symbol's book feed.

    Attributes:
        sources: what is shown of it, and how old that is.
    """

    sequence: int
    gap_count: int
    order_count: int
    sources: Sequence[Source]


def metrics_text(desk: DeskView, feeds: Mapping[str, FeedFigures], browser_count: int) -> bytes:
    """Return all metrics as text.

    Args:
        desk: what is known of the desk; of one that nobody tells of, the api's own are told alone.
        feeds: by symbol.
        browser_count: how many look at the dashboard.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(desk, feeds, browser_count))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, desk: DeskView, feeds: Mapping[str, FeedFigures], browser_count: int) -> None:
        self._desk = desk
        self._feeds = feeds
        self._browser_count = browser_count

    def collect(self) -> Iterator[Metric]:
        """Yield them, each with its samples."""
        yield from self._of_feeds()
        if self._desk.status is not None:
            yield from _of_desk(self._desk.status)

    def _of_feeds(self) -> Iterator[Metric]:
        feeds = self._feeds.items()
        rows: list[tuple[str, str, list[tuple[tuple[str, ...], float]]]] = [
            ("feed_sequence", "Number of the last message of the book feed.", [((s,), f.sequence) for s, f in feeds]),
            ("feed_gaps_total", "Gaps in the book feed that were mended.", [((s,), f.gap_count) for s, f in feeds]),
            ("feed_orders", "Orders in the api's copy of the book.", [((s,), f.order_count) for s, f in feeds]),
        ]
        for name, text, samples in rows:
            yield _family(name, text, ("symbol",), samples)
        each = [(symbol, source) for symbol, feed in feeds for source in feed.sources]
        ages = [((s, one.name), one.age_ns * _NS) for s, one in each if one.age_ns is not None]
        yield _family("source_age_seconds", "How old what a source tells is.", ("symbol", "source"), ages)
        stale = [((s, one.name), float(bool(one.trouble))) for s, one in each]
        yield _family("source_stale", "1 while what a source tells is too old, or wrong.", ("symbol", "source"), stale)
        yield _family("browsers", "Browsers that look at the dashboard.", (), [((), self._browser_count)])


def _of_desk(status: Mapping[str, Any]) -> Iterator[Metric]:
    rows = status["nodes"]
    up = [((row["node"], row["kind"]), float(row["state"] == "ready")) for row in rows]
    yield _family("node_up", "1 while a node is ready.", ("node", "kind"), up)
    restarts = [((row["node"],), row["restarts"]) for row in rows]
    yield _family("node_restarts_total", "How often a node was started again.", ("node",), restarts)
    heard = [((row["node"],), row["heard_s"]) for row in rows if row.get("heard_s") is not None]
    yield _family("node_heard_seconds", "How long ago a node said that it lives.", ("node",), heard)
    since = [((row["node"],), row["uptime_s"]) for row in rows if row.get("uptime_s") is not None]
    yield _family("node_uptime_seconds", "How long the process of a node has lived.", ("node",), since)
    halted = [((symbol,), 1.0) for symbol in status["halted"]]
    yield _family("halted", "1 for each symbol that is halted.", ("symbol",), halted)
    yield _family("withdrawn", "1 while a limit has made the maker withdraw.", (), [((), bool(status["withdrawn"]))])
    alive = [row for row in rows if row["state"] == "ready"]  # what others last said is old
    for figure in FIGURES:
        samples = [each for row in alive if row["kind"] == figure.kind for each in _samples(figure, row)]
        yield _family(figure.name, figure.text, ("node", figure.label) if figure.label else ("node",), samples)
    yield from _quoted(alive, status["symbol"])
    yield _latencies(alive)


def _quoted(alive: Sequence[Mapping[str, Any]], symbol: str) -> Iterator[Metric]:
    makers = [row for row in alive if row["kind"] == "maker"]
    sides = [
        ((row["node"], symbol, side), float(bool(row["figures"].get(side))))
        for row in makers
        for side in ("bid", "ask")
    ]
    yield _family("quoted", "1 while a side of ours is quoted.", ("node", "symbol", "side"), sides)


def _latencies(alive: Sequence[Mapping[str, Any]]) -> Metric:
    text = "How long it takes: gateway to engine and back, in the engine, to decide, until the venue answers."
    family = HistogramMetricFamily("tickbus_latency_seconds", text, labels=("node", "stage"))
    for row in alive:
        for stage, figure in row["figures"].get("latencies", {}).items():
            total, buckets = 0, []
            for bound, count in zip(_BOUNDS, figure["counts"], strict=True):
                total += count
                buckets.append((bound, total))
            family.add_metric((row["node"], stage), buckets, figure["sum_ns"] * _NS)
    return family


def _samples(figure: _Figure, row: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], float]]:
    value: Any = flow_counts(row["figures"]) if figure.kind == "flow" else row["figures"]
    for name in figure.path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    named = value if isinstance(value, Mapping) else {"": value}
    for name, one in named.items():
        if one is not None:
            labels = (row["node"], name) if figure.label else (row["node"],)
            yield labels, float(Decimal(str(one)) if isinstance(one, str) else one) * figure.unit


def _family(
    name: str, text: str, labels: Sequence[str], samples: Sequence[tuple[tuple[str, ...], float]]
) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(f"tickbus_{name}", text, labels=labels)
    for values, sample in samples:
        family.add_metric(values, sample)
    return family
