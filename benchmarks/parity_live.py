"""The live run of `benchmarks.parity`: a trader on a desk of real processes, and what there is to know of it after."""

import select
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from benchmarks.desk_process import running_desk
from benchmarks.parity_records import OURS, PREFIX, Order, Orders, Run, Step, Watched, by_market, names
from bus.topology import Source, first_order_id, first_owner
from desk.client import desk_settings, desk_status
from desk.settings import Settings
from desk.strategy import terms_of
from desk.venue import desk_line, desk_venue
from engine.matching_engine import make_engine
from journal.reader import JournalReader
from market.clock import NS_PER_SECOND, steady_clock
from market.codec import decode_commands
from market.commands import CancelOrder, Command, MassCancel, NewOrder
from market.events import Accepted
from nodes.engine.command_record import COMMANDS
from nodes.flow.market import OrderIds
from nodes.flow.market_flows import make_flows
from simulation.market import FlowMarket
from trading.actions import Action, Cancel, Place, apart
from trading.news import News, Refused
from trading.outbox import Outbox
from trading.trader import Trader

ARRIVAL_NS_MAX: Final = 2 * NS_PER_SECOND  # between an action and its command


def live(market: str, settings_given: Mapping[str, str], seconds: float) -> tuple[Run, list[Step]]:
    """Let a trader quote on a desk of real processes, for so long after its market has begun to move."""
    with running_desk(settings_given, ("maker", "tracker", "api"), "--flow", market) as run_dir:
        settings, now = desk_settings(run_dir), steady_clock()
        url = next(row["endpoints"]["http"] for row in desk_status(run_dir)["nodes"] if row["node"] == "paper")
        settings = settings.model_copy(update={"venue": settings.venue.model_copy(update={"url": url})})
        venue = desk_venue(settings)
        rules = venue.load(settings.instrument)
        line = desk_line(settings, venue, now)
        strategy = Watched(settings)
        trader = Trader(strategy, settings.instrument, rules, terms_of(settings, PREFIX, line.list_ns), names())
        steps: list[tuple[int, list[News], Outbox]] = []
        until_ns = now() + round((settings.flow.opening_s + seconds) * NS_PER_SECOND)
        while (now_ns := now()) < until_ns:
            said = line.take()
            outbox = trader.step(now_ns, said)
            steps.append((now_ns, said, outbox))
            if outbox.actions:
                line.act(outbox.actions)
            wait_ns = NS_PER_SECOND if outbox.wake_ns is None else outbox.wake_ns - now()
            select.select([line.ready], [], [], max(0, wait_ns) / NS_PER_SECOND)
        end_ns = now()
        line.close()
        (engine,) = settings.plan.engines.values()
        records = [record for _, record in JournalReader(engine.journal_folder, COMMANDS).records()]
    commands = [(record.time_ns, each) for record in records for each in decode_commands(record.payload)]
    flow = first_owner(Source.FLOW)
    start_ns = next(each.time_ns for _, each in commands if isinstance(each, MassCancel) and each.owner == flow)
    clock = _MarketClock(commands, _due_ns(settings, start_ns, end_ns))
    commands = [(clock.time_of(at_ns), each) for at_ns, each in commands]
    stepped = timed(steps, commands, clock.time_of)
    decisions = by_market(strategy.decisions, stepped)
    orders = _orders_of(commands, settings)
    return Run(start_ns, end_ns, decisions, orders, line.list_ns, clock.due_ns), stepped


def _orders_of(commands: Sequence[tuple[int, Command]], settings: Settings) -> list[Order]:
    """Return the trader's orders, by matching all that the journal holds once more."""
    orders = Orders()
    market = FlowMarket(make_engine("fast", len(settings.instruments)), None, first_owner(Source.FLOW), 0)
    for at_ns, command in commands:
        orders.take(market.submit([command]), at_ns)
    return list(orders.by_id.values())


def _due_ns(settings: Settings, start_ns: int, end_ns: int) -> dict[int, int]:
    """Return when each order of the market is due, by its id."""
    owner = first_owner(Source.FLOW)
    (flow,) = make_flows(settings, owner, OrderIds(first_order_id(Source.FLOW))).values()
    market = FlowMarket(make_engine("fast", len(settings.instruments)), flow, owner, start_ns)
    _, events = market.advance(end_ns)
    return {event.order_id: event.time_ns for event in events if isinstance(event, Accepted)}


class _MarketClock:
    """Tells the time by what the live market had done by then: it may have been late, a simulated one never is.

    What happened between two orders of the live market happens between the same two of the simulated one.

    Args:
        commands: all that was at the engine, with their times.
        due_ns: when the market's orders were due, by their ids.

    Attributes:
        due_ns: of those that were there, in their order.
    """

    def __init__(self, commands: Sequence[tuple[int, Command]], due_ns: Mapping[int, int]) -> None:
        orders = [(at_ns, each) for at_ns, each in commands if isinstance(each, NewOrder) and each.order_id in due_ns]
        self._times_ns = [at_ns for at_ns, _ in orders]
        self.due_ns = list(accumulate((due_ns[each.order_id] for _, each in orders), max))

    def time_of(self, at_ns: int) -> int:
        """Return the market's time at a time; it never goes back."""
        place = bisect(self._times_ns, at_ns)
        if place == 0:
            return min(at_ns, self.due_ns[0] - 1)
        last_ns, since_ns = self.due_ns[place - 1], at_ns - self._times_ns[place - 1]
        if place == len(self.due_ns):
            return last_ns + since_ns
        live_ns, due_ns = self._times_ns[place] - self._times_ns[place - 1], self.due_ns[place] - last_ns
        # An order of the market that was late leaves less room before it than there was: all of it in the same order.
        return last_ns + (since_ns if live_ns <= due_ns else since_ns * due_ns // live_ns)


def timed(
    steps: Sequence[tuple[int, Sequence[News], Outbox]],
    commands: Sequence[tuple[int, Command]],
    time_of: Callable[[int], int],
) -> list[Step]:
    """Return the steps, each with the times at which what it wanted was at the engine.

    Args:
        steps: when, what was heard, what came of it.
        commands: all that was at the engine, with their times by the market.
        time_of: the market's time at a time.
    """
    arrived = [
        (at_ns, each) for at_ns, each in commands if isinstance(each, NewOrder | CancelOrder) and each.owner in OURS
    ]
    refused_ns = {
        each.client_order_id: time_of(now_ns) for now_ns, said, _ in steps for each in said if isinstance(each, Refused)
    }
    found_steps = []
    for now_ns, said, outbox in steps:
        at_ns, acts = time_of(now_ns), []
        for action in outbox.actions:
            acted_ns = at_ns
            for half in apart([action]):
                until_ns = at_ns + ARRIVAL_NS_MAX
                if isinstance(half, Place):  # one that the exchange has refused by itself is not the next of its price
                    until_ns = refused_ns.get(half.client_order_id, until_ns)
                found = next((at for at, each in enumerate(arrived) if _is_of(each, half, at_ns, until_ns)), None)
                acted_ns = acted_ns if found is None else max(acted_ns, arrived.pop(found)[0])
            acts.append((action, acted_ns))
        found_steps.append(Step(at_ns, now_ns, tuple(said), tuple(acts)))
    return found_steps


def _is_of(arrived: tuple[int, Command], action: Action, at_ns: int, until_ns: int) -> bool:
    """Return whether a command is what became of an action of that time."""
    command_ns, command = arrived
    if not at_ns - ARRIVAL_NS_MAX < command_ns <= until_ns:
        return False
    if isinstance(action, Cancel):
        return isinstance(command, CancelOrder) and str(command.order_id) == action.order_id
    if not isinstance(action, Place) or not isinstance(command, NewOrder):
        return False
    return (command.side, command.price_ticks, command.qty_lots) == (action.side, action.price_ticks, action.qty_lots)
