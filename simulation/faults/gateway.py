"""A gateway as a process that may die, and bots whose connections to it break."""

import logging
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import structlog

from bus.engine_client import EngineClient, LinkEnd
from bus.feed import Topic, definition_of
from bus.order_link import Connected, RawReports
from bus.subscriber import FeedSubscriber
from bus.topology import ORDERS
from bus.wiring import Wiring
from desk.settings import Settings
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codec import encode_all
from market.codes import OrderType, SelfTradePrevention, Side
from market.events import Accepted, Event
from nodes.gateway.limits import client_rules, session_limits
from sessions.client import Client
from sessions.core import GatewayCore
from sessions.kept_sessions import KeptSessions
from sessions.report_record import ReportRecord
from sessions.session_store import Position, SessionStore
from sessions.session_table import SessionTable
from simulation.faults.life import Life, left_by_the_dead
from simulation.faults.network import Network
from simulation.faults.nodes import ENGINE
from simulation.heap import Happening
from venues.gateway_session import GatewayError, SessionEnd

GATEWAY: Final = "gateway"
BEAT_NS: Final = 60 * NS_PER_MS
_TICK_NS: Final = 100 * NS_PER_MS
_WAY_NS: Final = 1 * NS_PER_MS, 5 * NS_PER_MS
_AGAIN_NS: Final = 10 * NS_PER_MS, NS_PER_SECOND
_ORDERS_MAX: Final = 65_536
_KEPT_BYTES: Final = 1 << 20
_JOURNAL_BYTES: Final = 1 << 14  # so that checkpoints are made, too
_TICKS_MAX: Final = 200
_SILENT: Final = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class MortalStore(SessionStore):
    """A store whose process may die before and after each record, and before each writing of the names."""

    life: Life

    def keep(self, record: ReportRecord) -> None:
        """Append a frame of reports."""
        self.life.point("keep reports")
        super().keep(record)
        self.life.point("have kept reports")

    def _begin_journal(self) -> None:
        self.life.point("begin a generation")
        super()._begin_journal()

    def _remove_others(self) -> None:
        self.life.point("remove the generation before")
        super()._remove_others()


class Stream:
    """One TCP connection: bytes both ways, cut into pieces as it comes; it breaks with the gateway."""

    def __init__(self, process: "GatewayProcess", bot: "Bot", dice: Random) -> None:
        self.bot = bot
        self.is_open = True
        self.process = process
        self._dice = dice
        self._waiting = bytearray()  # at the gateway
        self._last_ns = [0, 0]
        process.streams.append(self)
        self.client: Client | None = None
        process.life.run(self._accept)

    def up(self, data: bytes) -> None:
        """Send to the gateway."""
        if data:
            self._travel(0, lambda: self.process.life.run(lambda: self._arrive(data)))

    def down(self, data: bytes) -> None:
        """Send to the bot."""
        self._travel(1, lambda: self.bot.hear(self, data))

    def end(self) -> None:
        """Break; both ends notice, if they live."""
        if self.is_open:
            self.is_open = False
            self.process.streams.remove(self)
            client = self.client
            if client is not None and client.is_open:
                self.process.life.run(lambda: self.process.let_go(client))
            self.bot.lose(self)

    def receive_into(self, space: memoryview) -> int | None:
        """Give the gateway what waits, or a part of it."""
        size = min(len(space), len(self._waiting))
        if not size:
            return None
        size = self._dice.randint(1, size)
        space[:size] = self._waiting[:size]
        del self._waiting[:size]
        return size

    @property
    def has_input(self) -> bool:
        """Whether something waits at the gateway."""
        return bool(self._waiting)

    def _accept(self) -> None:
        self.client = self.process.accept(self)

    def _arrive(self, data: bytes) -> None:
        if self.is_open:
            self._waiting += data
            self.process.read(self)

    def _travel(self, way: int, happening: Happening) -> None:
        heap = self.process.life.heap
        self._last_ns[way] = max(self._last_ns[way], heap.now_ns + self._dice.randint(*_WAY_NS))

        def arrive() -> None:
            if self.is_open:
                happening()

        heap.at(self._last_ns[way], arrive)


class GatewayProcess:
    """The gateway, with its sessions on the disk."""

    def __init__(self, life: Life, network: Network, settings: Settings, folder: Path) -> None:
        plan = settings.plan.gateways[GATEWAY]
        self.life = life
        self.streams: list[Stream] = []
        limits, rules = session_limits(plan.settings, settings.symbols), client_rules(plan.settings)
        self.table = SessionTable(limits, _ORDERS_MAX, plan.source, _KEPT_BYTES)
        store = MortalStore(folder, _JOURNAL_BYTES)
        store.life = life
        self.store = store
        with left_by_the_dead(store.close):
            kept = KeptSessions(self.table, store, life.now())
        socket = network.connect(ORDERS, ENGINE, life, self._hear)
        symbols = settings.plan.engines[ENGINE].symbol_ids
        resume = store.positions.get(ENGINE, (0, 0))
        self.link = LinkEnd(plan.source, ENGINE, socket, symbols, resume, life.time_ns())
        self._client = EngineClient([self.link])
        self._topics = [Topic.REFERENCE.of(each.symbol) for each in settings.instruments]
        wiring = Wiring(folder.parent, engine_of={**settings.plan.engine_of, "": ENGINE})
        self._references = FeedSubscriber(
            wiring, self._topics, gives_up=False, make_socket=network.maker(life, lambda: None)
        )
        greeting = encode_all(map(definition_of, settings.instruments))
        self.core = GatewayCore(self.table, kept, (self.link,), rules, greeting, _SILENT)
        self._stream_of: dict[Client, Stream] = {}
        life.every(_TICK_NS, self._tick)

    @property
    def is_listening(self) -> bool:
        """Whether clients are let in."""
        return self.life.is_alive and self.core.is_ready

    def accept(self, stream: Stream) -> Client:
        """Let a client in."""
        client = self.core.connect("127.0.0.1", 1, self.life.now())
        self._stream_of[client] = stream
        self._flush()
        return client

    def read(self, stream: Stream) -> None:
        """Take what has come of a client, piece by piece."""
        while stream.has_input and stream.client is not None and stream.client.is_open:
            self.core.receive(stream.client, stream.receive_into, self.life.now())
            self._flush()
            if not self.core.interest(stream.client, self.life.now())[0]:
                break  # it waits in its socket

    def let_go(self, client: Client) -> None:
        """Notice that a connection is gone."""
        self.core.hang_up(client, "lost", self.life.now())
        self._flush()

    def leave(self) -> None:
        """Be dead: what was written stays, and connections break."""
        self.store.close()
        for stream in list(self.streams):
            stream.end()

    def _flush(self) -> None:
        while self.core.changed:
            client, _ = self.core.changed.popitem()
            stream = self._stream_of.get(client)
            if stream is None:
                continue
            while piece := client.next_piece():
                self.life.point("send to a client")
                data = bytes(piece)
                client.sent(len(data), self.life.now())
                stream.down(data)
            if not client.is_open:
                del self._stream_of[client]
                self.life.after(_WAY_NS[1] + 1, stream.end)

    def _hear(self) -> None:
        for news in self.link.receive_raw():
            self._take(news)
            self._flush()

    def _take(self, news: Connected | RawReports) -> None:
        now = self.life.now()
        if isinstance(news, Connected):
            new_epoch = Position(news.epoch, news.report_sequence) if news.is_new_epoch else None
            self.core.engine_connected(ENGINE, new_epoch, now)
            return
        numbers = (news.epoch, news.first_sequence, news.size, news.skip)
        self.core.take_reports(ReportRecord(ENGINE.encode(), *numbers, news.payload), now)

    def _tick(self) -> None:
        now_ns = self.life.time_ns()
        self._references.receive(now_ns)
        self._references.tick(now_ns)
        for symbol_id, topic in enumerate(self._topics):
            if until_ns := self._references.live_until_ns(topic):
                self.table.set_reference(symbol_id, self._references.replicas[topic].reference.price_ticks, until_ns)
        self._client.tick(now_ns)
        self.core.tick(self.life.now(), lambda client: self._stream_of[client].has_input)
        for stream in list(self.streams):
            if stream.has_input:
                self.read(stream)
        self._flush()


class Bot:
    """A client of the gateway that comes back whenever its connection is lost; it does not die.

    Args:
        mid_ticks: where the market is, 0 if nobody knows.

    Attributes:
        session: what it remembers.
        heard: every report, in its order.
        accepted: the orders of `heard` that were entered.
        asked: those that we wanted cancelled.
        left: those that were open when a connection was lost.
    """

    def __init__(
        self,
        life: Life,
        name: str,
        symbol: str,
        dice: Random,
        mid_ticks: Callable[[], int],
        *,
        is_cancel_on_disconnect: bool,
    ) -> None:
        self.is_still = False
        self.is_cancel_on_disconnect = is_cancel_on_disconnect
        self.session = SessionEnd(name, is_cancel_on_disconnect=is_cancel_on_disconnect)
        self.heard: deque[Event] = deque()
        self.accepted: set[int] = set()
        self.asked: set[int] = set()
        self.left: set[int] = set()
        self.process: GatewayProcess | None = None
        self._life = life
        self._symbol = symbol
        self._mid_ticks = mid_ticks
        self._dice = dice
        self._stream: Stream | None = None
        self._again_ns = 0
        life.every(BEAT_NS, self._beat)

    def hear(self, stream: Stream, data: bytes) -> None:
        """Take what the gateway says."""
        try:
            answer = self.session.receive(data)
        except GatewayError:
            stream.end()
            return
        self.heard.extend(answer.events)
        self.accepted |= {event.order_id for event in answer.events if isinstance(event, Accepted)}
        stream.up(answer.to_send)
        if answer.end is not None:
            stream.end()

    def lose(self, stream: Stream) -> None:
        """Notice that a connection is gone."""
        if self._stream is stream:
            self._stream = None
            self.left |= self.accepted & self.session.open_order_ids
            self._again_ns = self._life.time_ns() + self._dice.randint(*_AGAIN_NS)

    def _beat(self) -> None:
        stream, dice = self._stream, self._dice
        if stream is None:
            if self.process is not None and self.process.is_listening and self._life.time_ns() >= self._again_ns:
                stream = Stream(self.process, self, dice)
                if stream.is_open:  # the gateway may die as it greets us
                    self._stream = stream
                    stream.up(self.session.logon())
            return
        if not self.session.is_logged_on:
            return
        mid_ticks = 0 if self.is_still else self._mid_ticks()
        if not mid_ticks:
            stream.up(self.session.heartbeat())
        elif dice.random() < 0.02:
            stream.end()
        else:
            stream.up(self._command(mid_ticks))

    def _command(self, mid_ticks: int) -> bytes:
        dice, session = self._dice, self.session
        tick = Decimal(session.instruments[self._symbol].tick_size)
        price = (mid_ticks + dice.randint(-_TICKS_MAX, _TICKS_MAX)) * tick
        qty = Decimal(dice.randint(1, 30)) / 1_000
        open_ids = sorted(session.open_order_ids)
        roll = dice.random()
        if roll < 0.6 or not open_ids:
            kind = dice.choice((OrderType.LIMIT, OrderType.LIMIT, OrderType.POST_ONLY))
            side, prevention = dice.choice(list(Side)), dice.choice(list(SelfTradePrevention))
            options = {"order_type": int(kind), "self_trade_prevention": int(prevention)}
            return encode_all([session.new_order(self._symbol, side, price, qty, **options)])
        if roll < 0.85:
            order_id = dice.choice(open_ids)
            self.asked.add(order_id)
            return encode_all([session.cancel(order_id)])
        if roll < 0.99:
            return encode_all([session.amend(dice.choice(open_ids), price, qty)])
        self.asked.update(range(1, session.last_order_id + 1))
        return encode_all([session.cancel_all()])
