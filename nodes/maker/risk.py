"""What the maker has lost and how far it has withdrawn, as it outlives the process, and as a person resumes it."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from desk.client import command_text
from desk.risk_file import DamagedRiskError, damage, read_risk, resumed, write_risk
from desk.run_dir import StayDownError
from market.clock import NS_PER_SECOND
from market.instrument import format_decimal
from nodes.node import Node
from trading.escalation import Account, Escalation, Stage
from trading.shown import beside

KEEP_NS: Final = 5 * NS_PER_SECOND  # from one writing to the next while nothing but a peak moves


class MakerRisk:
    """Keeps the account of an escalation in the run directory.

    Args:
        of: names account and pair; what is kept of others is forgotten.
        now_ns: the time, ns since 1970 UTC.
    """

    def __init__(self, node: Node, escalation: Escalation, of: str, now_ns: int) -> None:
        self._node = node
        self._run_dir = node.settings.run_dir
        self._escalation = escalation
        self._of = of
        self._kept: Account | None = None
        self._kept_ns = now_ns - KEEP_NS  # the first is kept: one that ends too soon for a second leaves that
        self._why_failed = ""
        self._has_looked = False
        try:
            self._kept = read_risk(self._run_dir, of)
        except DamagedRiskError as error:
            if damage(self._run_dir) != resumed(self._run_dir):
                zero = Decimal(0)  # with nothing neutral, no account is worth less
                escalation.account = Account(0, zero, zero, zero, Stage.CANCELS_ALL, str(error), now_ns)
        else:
            escalation.account = self._kept
        if self._kept is not None and self._kept.trip and self._kept.trip == resumed(self._run_dir):
            escalation.resume()
        if escalation.stage:
            node.log.error(
                "goes on as it had withdrawn", why=escalation.why.text, go_on=command_text("resume", self._run_dir)
            )

    @property
    def is_disconnected(self) -> bool:
        """Whether it is to have no connection to the venue."""
        return self._escalation.stage >= Stage.DISCONNECTS

    def check(self) -> None:
        """Make sure that it may have a connection.

        Raises:
            StayDownError: if it may not.
        """
        if self.is_disconnected:
            raise StayDownError(self._escalation.why.text)

    def keep(self, now_ns: int) -> None:
        """Keep the account as it is now: a peak of late may wait; what must outlive the machine is on the disk then."""
        account, kept = self._escalation.account, self._kept
        if account is None or account == kept:
            return
        is_important = kept is None or _lasting(account) != _lasting(kept)
        is_news = is_important or (kept is not None and replace(account, peak=kept.peak, high=kept.high) != kept)
        if is_news or now_ns - self._kept_ns >= KEEP_NS:
            self._kept_ns = now_ns
            self._write(account, is_synced=is_important)

    def show(self) -> None:
        """Set the figures of `status`."""
        account, (loss, drawdown, use) = self._escalation.account, self._escalation.seen
        triggers = self._escalation.triggers
        if account is not None and not self._has_looked:
            self._has_looked = True
            if use > 1:  # no order of ours alone brings that about
                times = beside(use, Decimal(1), 2)
                self._node.log.warning("holds more than its limit: the limit was set below that", times=times)
        self._node.show(
            trip=account.trip if account else "",
            lost_today=_beside(loss, triggers.daily_loss, 2),
            below_peak=_beside(drawdown, triggers.drawdown, 2),
            position_use=_beside(use, Decimal(1), 4),
            position_use_max=format_decimal(triggers.stops_new),
            loss_max=_text(triggers.daily_loss),
            drawdown_max=_text(triggers.drawdown),
        )

    def follow(self) -> bool:
        """Do as a person has said since this was last asked; return whether there was something."""
        account = self._escalation.account
        if account is None or not account.trip or resumed(self._run_dir) != account.trip:
            return False
        self._escalation.resume()
        self._node.log.warning("resumed by a person", after=account.why)
        self.show()
        return True

    def _write(self, account: Account, *, is_synced: bool) -> None:
        try:
            write_risk(self._run_dir, self._of, account, is_synced=is_synced)
            self._kept, self._why_failed = account, ""
        except OSError as error:
            if (why := str(error)) != self._why_failed:
                self._why_failed = why
                self._node.log.warning("what is lost today is not kept: a restart forgets it", why=why)


def _lasting(account: Account) -> Account:
    """Return what of an account must outlive the machine, and not only the process."""
    return replace(account, peak=Decimal(0), high=None, has=None, beginning=(), standing={})


def _text(limit: Decimal | None) -> str | None:
    return None if limit is None else format_decimal(limit)


def _beside(number: Decimal, limit: Decimal | None, places: int) -> str:
    return f"{number:.{places}f}" if limit is None else beside(number, limit, places)
