"""The maker's node: what it is made of on this desk, and what takes away what an earlier one has left."""

from collections.abc import Callable
from typing import Final

from desk.client import command_text
from desk.halted_file import LOOK_MS
from desk.risk_file import withdrawn
from desk.run_dir import NodeError, StayDownError, refuse_while_flattening
from desk.settings import Settings
from desk.strategy import model_of, strategy_of
from desk.strategy_file import StrategyError
from desk.venue import desk_line, desk_venue
from market.clock import NS_PER_SECOND, steady_clock, time_ns
from nodes.maker.decisions import LeftDecisions
from nodes.maker.elsewhere import Elsewhere
from nodes.maker.ids import SentOrders, own_prefix
from nodes.maker.maker import Maker
from nodes.maker.watchdog import Watchdog
from nodes.node import Node
from trading.reasons import OTHER_PAIR
from trading.sending_rate import SentLately
from trading.spending import Spending
from trading.strategy import Strategy
from venues.binance import BinanceVenue
from venues.polling_line import PollingLine, VenueCalls
from venues.trading_line import TradingLine
from venues.venue import VenueBusyError, VenueError, VenueUnavailableError

AWAY_S: Final = 5.0  # from one try to start at a venue that does not answer to the next


def run(node: Node) -> None:
    """Run the maker's node until it is told to stop.

    As a thread beside other nodes, whose process would end with it, it waits where it could not do anything: for a
    person who resumes, or for a venue that does not answer when it starts.

    Raises:
        StrategyError: if the strategy cannot be used; what an earlier run has left is taken away first.
        NodeError: while a person ends the position by hand, or if so much request weight was used by earlier runs that
            there is none for a start yet.
        StayDownError: if it has withdrawn so far that it has no connection any more.
        VenueError: if the venue does not answer when it starts.
    """
    while not node.is_stopping:
        try:
            _run(node)
        except (StayDownError, VenueUnavailableError, VenueBusyError) as error:
            if not node.is_colocated:
                raise
            _wait(node, error)
        else:
            return


def _wait(node: Node, error: StayDownError | VenueUnavailableError | VenueBusyError) -> None:
    """Wait until a person has resumed, or until it is time to ask the venue again; or until the node is to stop."""
    loop, run_dir = node.poll_loop(), node.settings.run_dir
    if isinstance(error, StayDownError):
        node.hold(f"{error}; go on with: {command_text('resume', run_dir)}")

        def look() -> None:
            if withdrawn(run_dir) is None:
                loop.stop()

        loop.every(LOOK_MS, look)
    else:
        node.hold(str(error))
        loop.alarm(loop.stop).set(int(max(AWAY_S, error.retry_after_s) * NS_PER_SECOND))
    loop.run()


def _run(node: Node) -> None:
    refuse_while_flattening(node.settings.run_dir, "the maker starts")
    try:
        strategy = strategy_of(node.settings)
    except StrategyError:
        clean_up(node)
        raise
    check_weight(_sent_of(node, desk_venue(node.settings)).lately, steady_clock()())
    watchdog = Watchdog(node.settings.run_dir, own_prefix(node.settings.run_dir))  # comes up while we do
    try:
        _maker(node, desk_line, strategy).run(watchdog)
    finally:
        watchdog.close()


def check_weight(lately: SentLately, now_ns: int) -> None:
    """Make sure that a start may ask the venue what it must: one that may not leaves it alone, and is tried again.

    Raises:
        NodeError: if it may not.
    """
    spending = Spending()
    spending.take_over(lately.spent, now_ns)
    if not spending.may_start():
        raise NodeError("the starts of the last minute have used as much request weight as may be: it waits")


def clean_up(node: Node) -> None:
    """Cancel what a maker of this desk that was killed has left at the venue, whatever its strategy is.

    Raises:
        NodeError: if orders of ours may be left there; a watchdog tries on.
    """
    prefix = own_prefix(node.settings.run_dir)
    watchdog = Watchdog(node.settings.run_dir, prefix)  # takes over from an earlier one, and tries on where we give up
    watchdog.stopping()  # there is something to take away; it comes up while we do that
    try:
        try:
            maker = _maker(node, _polling_line, model_of(node.settings))
        except VenueError as error:
            raise NodeError(f"own orders ({prefix}...) may be left at the venue: {error}") from None
        maker.stop()
        watchdog.release()
    except NodeError:
        _await_watchdog(node, watchdog)
        raise
    finally:
        watchdog.close()


def _await_watchdog(node: Node, watchdog: Watchdog) -> None:
    """Wait until there is somebody who tries on."""
    try:
        watchdog.await_ready()
    except NodeError:
        node.log.warning("no watchdog starts: what cannot be cancelled now, nobody tries again")


_MakeLine = Callable[[Settings, BinanceVenue, Callable[[], int]], TradingLine]


def _polling_line(settings: Settings, venue: BinanceVenue, clock: Callable[[], int]) -> TradingLine:
    return PollingLine(VenueCalls(venue, settings.instrument, clock))


def _maker(node: Node, make_line: _MakeLine, strategy: Strategy) -> Maker:
    """Return a maker, once nothing of an earlier run is left in other pairs."""
    settings = node.settings
    venue, clock = desk_venue(settings), steady_clock()
    rules = venue.load(settings.instrument)
    sent = _sent_of(node, venue)
    decisions = LeftDecisions(settings.run_dir, OTHER_PAIR, node.log, time_ns)
    elsewhere = Elsewhere(venue, sent, node.log, tell=decisions.cancelled)
    elsewhere.clear()
    return Maker(node, make_line(settings, venue, clock), strategy, rules, clock, sent, elsewhere)


def _sent_of(node: Node, venue: BinanceVenue) -> SentOrders:
    settings = node.settings
    return SentOrders(settings.run_dir, own_prefix(settings.run_dir), settings.symbol, venue.account_name, node.log)
