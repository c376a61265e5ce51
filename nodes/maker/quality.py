"""How well the maker quotes: its presence and its fills, kept in the run directory and shown in `status`."""

from typing import Final

from desk.quoting_file import read_quoting, write_quoting
from market.clock import NS_PER_SECOND, utc_date
from market.instrument import format_decimal
from nodes.node import Node
from trading.outbox import Outbox
from trading.own_orders import OwnOrders
from trading.quoting import Estimates
from trading.quoting_day import QuotingRecord
from trading.quoting_watch import QuotingWatch

KEEP_NS: Final = 5 * NS_PER_SECOND


class MakerQuality:
    """The record of the day. A disk that does not take it is told once, and stops nobody.

    Args:
        now_ns: the maker's clock.
    """

    def __init__(self, node: Node, now_ns: int) -> None:
        settings = node.settings
        self._node = node
        self._symbol, self._run_dir = settings.symbol, settings.run_dir
        self._target, self._within = settings.maker.presence_target, settings.maker.presence_within
        self._kept_ns = now_ns
        self._why_failed = ""
        day = None
        try:
            day = read_quoting(self._run_dir, utc_date(now_ns), self._symbol)
        except (OSError, ValueError) as error:
            self._failed(error)
        self._record = QuotingRecord(self._within, now_ns, day)
        self._watch = QuotingWatch(self._record, settings.instrument.tick_size)

    def take(self, now_ns: int, outbox: Outbox, own: OwnOrders) -> None:
        """Take what has become of our quotes in a step."""
        self._watch.take(now_ns, outbox, own)
        if outbox.notes and now_ns - self._kept_ns >= KEEP_NS:
            self._kept_ns = now_ns
            self.keep()

    def see(self, seen: Estimates) -> None:
        """Take what the market is like."""
        self._record.day.seen = seen

    def keep(self) -> None:
        """Keep the day as it is now, and show it."""
        day = self._record.day
        document = day.document(self._target, self._within)
        last = list(day.minutes())[-1:]
        self._node.show(
            presence=format_decimal(document["presence"]),
            presence_minute=format_decimal(last[0][1]) if last else None,
            presence_minutes=[document["minutes_on_target"], document["minutes"]],
            fills=day.fills.count,
            picked_off=day.picked_off.count,
            picked_off_markout=format_decimal(day.picked_off.markout),
        )
        try:
            write_quoting(self._run_dir, day, self._symbol)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if (why := str(error) or type(error).__name__) != self._why_failed:
            self._why_failed = why
            self._node.log.warning("the day's presence is not kept; a maker that starts begins it anew", why=why)
