"""The gateway's sessions and what is kept of them on disk, moving together."""

from collections.abc import Callable, Collection

from market.clock import NS_PER_SECOND, Now
from market.codec import encode_all
from market.limits import BATCH_MESSAGES_MAX
from market.session_messages import Logon
from sessions.checkpoint import checkpoint_of, restore_checkpoint
from sessions.client import ClientRules
from sessions.report_record import ReportRecord
from sessions.session_store import IN_CHECKPOINT, Position, SessionStore, StoredSession
from sessions.session_table import NoSessionLeftError, Session, SessionTable


class KeptSessions:
    """The sessions of a table over their store: rebuilt from it, and never ahead of it.

    Args:
        table: without a session.
        store: of the same gateway.
        now: when all sessions of before are away.

    Raises:
        JournalError: if what is on disk cannot be used; of every method: if it cannot be written.
    """

    def __init__(self, table: SessionTable, store: SessionStore, now: Now) -> None:
        self._table = table
        self._store = store
        self._recover()
        for session in self._table.sessions.values():
            session.left_ns = now.monotonic_ns

    def _recover(self) -> None:
        stored = self._store.load()
        if checkpoint := self._store.checkpoint():
            restore_checkpoint(self._table, checkpoint, stored)
        waiting = sorted((one for one in stored if one.since != IN_CHECKPOINT), key=lambda one: one.since)

        def begin_until(sequence: int) -> None:
            while waiting and waiting[0].since < sequence:
                self._table.restore(waiting.pop(0))

        def take(sequence: int, record: ReportRecord) -> None:
            begin_until(sequence)
            self._table.report(record.payload, record.skip_count)

        self._store.recover(take)
        begin_until(self._store.sequence + 1)

    def begin_anonymous(self, address: str = "") -> Session:
        """Return a new session that ends with its connection.

        Raises:
            NoSessionLeftError: if all numbers are taken.
        """
        return self._table.open("", self._store.sequence, address)

    def log_on(self, logon: Logon, address: str = "") -> Session:
        """Return the session of this name, a new one if there is none.

        Args:
            address: where the client is, if only that bounds how many sessions it has.

        Raises:
            NoSessionLeftError: if all numbers are taken.
        """
        is_news = self.is_news(logon)
        session = self._table.by_name(logon.client_id) or self._table.open(logon.client_id, self._store.sequence)
        session.address, session.is_cancel_on_disconnect = address, bool(logon.is_cancel_on_disconnect)
        self._table.note_seen(session, logon.last_sequence)
        if is_news:
            self.save()
        return session

    def is_news(self, logon: Logon) -> bool:
        """Return whether a Logon says something that is not written yet: it is synced, and everybody waits for that."""
        session = self._table.by_name(logon.client_id)
        return session is None or session.is_cancel_on_disconnect != bool(logon.is_cancel_on_disconnect)

    def make_room(self, rules: ClientRules, address: str, is_here: Callable[[Session], bool], now: Now) -> str:
        """See to it that one more session can begin, for which the one that has been away longest is forgotten.

        It has no open orders, and nothing that its client has still to read; or that for too long. Where an address has
        as many sessions as it may, one of its own has to go.

        Args:
            address: of the new one, "" if that bounds nothing.
            is_here: whether a session has a connection.

        Returns:
            whose session is forgotten, "" if there is room.

        Raises:
            NoSessionLeftError: if none can go.
        """
        sessions = list(self._table.sessions.values())
        own = [one for one in sessions if address and one.address == address]
        is_full_here = len(own) >= rules.address_sessions_max
        if self._table.has_room and not is_full_here:
            return ""
        latest_ns = now.monotonic_ns - int(rules.forget_s * NS_PER_SECOND)
        away = [
            one
            for one in (own if is_full_here else sessions)
            if one.name and not self._table.open_count(one) and not is_here(one)
            if one.left_ns <= latest_ns or not self._table.has_unseen(one)
        ]
        if not away:
            whose = f"of {address}, were {len(own)}" if is_full_here else f"in all, were {len(sessions)}"
            raise NoSessionLeftError(f"expected fewer sessions {whose}")
        oldest = min(away, key=lambda one: one.left_ns)
        forgotten = oldest.name
        self._table.release(oldest)
        self.save()  # else whoever has its number next would get its name back
        return forgotten

    def give_up(self, session: Session) -> None:
        """Let a session have no name: from now on it ends as an anonymous one does."""
        if session.name:
            session.name = ""
            self.save()

    def begin_epoch(self, engine: str, position: Position, symbol_ids: Collection[int], now: Now) -> list[Session]:
        """Go on with an engine that knows none of our orders: tell that all open ones of its symbols have ended.

        Returns:
            the sessions that have new reports.
        """
        self._store.positions[engine] = position
        lost = [order for order in self._table.lost_orders(now.time_ns) if order.symbol_id in symbol_ids]
        touched: dict[int, Session] = {}
        for start in range(0, len(lost), BATCH_MESSAGES_MAX):
            batch = lost[start : start + BATCH_MESSAGES_MAX]
            record = ReportRecord(engine.encode(), position.epoch, 0, len(batch), 0, encode_all(batch))
            touched |= {session.number: session for session in self._keep(record)}
        self.save()
        return list(touched.values())

    def take(self, record: ReportRecord) -> list[Session]:
        """Keep a frame of reports for good and give each session its own; return those that have new ones."""
        touched = self._keep(record)
        if self._store.is_full:  # what is on disk is bounded: after a checkpoint the reports before it can go
            for session in self._table.sessions.values():
                session.since = IN_CHECKPOINT if session.name else session.since
            self._store.begin_anew(checkpoint_of(self._table), self._stored())
        return touched

    def save(self) -> None:
        """Write who has a session."""
        self._store.save(self._stored())

    def _keep(self, record: ReportRecord) -> list[Session]:
        self._store.keep(record)
        return self._table.report(record.payload, record.skip_count)

    def _stored(self) -> list[StoredSession]:
        return [
            StoredSession(one.name, one.number, one.offset, one.since, one.is_cancel_on_disconnect, one.address)
            for one in self._table.sessions.values()
            if one.name
        ]
