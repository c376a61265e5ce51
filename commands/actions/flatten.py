"""`flatten`: a person ends a position at once: quoting stops, own orders go, and what is held is traded in slices."""

import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from commands.actions.account import command_venue
from commands.actions.halting import may_have_left
from commands.actions.lost_by_us import lost_by_us, next_stage_text
from commands.actions.node_control import stop_node
from desk.client import (
    DeskError,
    NoDeskError,
    SilentDeskError,
    command_text,
    desk_pid,
    desk_status,
    lone_nodes,
    maker_row,
)
from desk.halted_file import HaltedFile
from desk.risk_file import kept_account, risk_name, withdrawn
from desk.run_dir import FLATTEN, LockFile
from desk.settings import Settings
from desk.venue import is_own_paper
from market.account import VenueOrder
from market.clock import time_ns
from market.codes import Side
from market.instrument import Instrument, format_decimal
from market.words import counted
from nodes.maker.ids import own_prefix
from screens.money import amount_text, money_text, price_text
from trading.flattening import Flattening
from trading.order_rules import OrderRules
from trading.own_orders import in_steps
from venues.binance_account import BinanceAccount
from venues.everywhere import cancel_known
from venues.venue import ARRIVAL_MS_MAX, VenueError, VenueRefusedError, VenueUnavailableError, VenueUnknownError

FLATTEN_PREFIX: Final = "flatten-"  # no maker's ids begin so
LEVELS: Final = 100
PAUSE_S: Final = 0.5  # from one slice to the next, for the book to be filled again
IDLE_MAX: Final = 10  # slices in a row of which nothing traded
ARRIVAL_S_MAX: Final = ARRIVAL_MS_MAX / 1_000
ANSWER_S_MAX: Final = 2 * ARRIVAL_S_MAX
OFF_MAX: Final = Decimal("0.02")  # of what was traded, by which balances may differ from it, besides a fee
ROUNDS_MAX: Final = 5
FIRST_HELD: Final = "what was there when the maker first started"

Tell = Callable[[str], None]


class Neutral(NamedTuple):
    """How much of the base asset is no position, and who says so."""

    qty: Decimal
    whose: str


def flatten(
    settings: Settings,
    quoted: str,
    neutral: Decimal | None,
    band: Decimal,
    confirm: Callable[[], None] | None,
    tell: Tell,
) -> None:
    """Bring the position in `settings.symbol` to nothing.

    Args:
        quoted: the symbol that the desk's maker quotes.
        neutral: how much of the base asset is no position; None: as the maker has it.
        band: how far from the mid an order may trade, as a fraction.
        confirm: returns if it is meant; None: nothing is to be done but to tell what there is to do.
        tell: told what happens, a line each.

    Raises:
        NoDeskError: if no desk has ever run in the run directory.
        SilentDeskError: if its supervisor, who would stop the maker, does not answer: nothing is done then.
        DeskError: if the position is not flat in the end, saying why.
        VenueError: if the venue cannot be asked before anything was done.
    """
    if not settings.run_dir.is_dir():  # a misspelt one, perhaps
        raise NoDeskError(settings.run_dir)
    _refuse_halted(settings)
    venue = command_venue(settings)
    with _alone(settings.run_dir):
        base = _neutral(settings, venue, quoted, neutral)
        flattener = Flattener(settings, venue, venue.load(settings.instrument), base, band, tell)
        flattener.show()
        if quoted == settings.symbol and flattener.shown is not None:
            mid, cost = flattener.shown
            if warning := next_stage_text(settings, venue.account_name, mid, cost, time_ns()):
                tell(warning)
        flattener.refuse_others()
        if confirm is None:
            return
        if quoted == settings.symbol:
            _maker_row(settings.run_dir)  # a supervisor that hangs does not stop it: that is said before anybody types
        confirm()
        again = command_text(f"flatten {settings.symbol} --neutral {format_decimal(base.qty)}", settings.run_dir)
        try:
            if quoted == settings.symbol:
                _stop_maker(settings.run_dir, tell)
            flattener.cancel_own()
            if quoted == settings.symbol and _may_arrive(settings.run_dir):
                tell(f"its desk was killed: what its maker has sent may arrive for {ARRIVAL_S_MAX:.0f} s")
                time.sleep(ARRIVAL_S_MAX)
                flattener.cancel_own()
            with lost_by_us(settings, venue, tell) if quoted == settings.symbol else nullcontext():
                flattener.run()
        except (DeskError, VenueError) as error:
            raise DeskError(f"not flat: {error}\nonce that is mended: {again}") from None
        except KeyboardInterrupt:
            tell(f"interrupted, and perhaps not flat; go on with: {again}")
            raise


def _refuse_halted(settings: Settings) -> None:
    symbol = settings.symbol
    if is_own_paper(settings) and symbol in HaltedFile(settings.run_dir, [symbol]).read():
        words = [command_text(each, settings.run_dir) for each in ("stop maker", "resume", "flatten")]
        raise DeskError(f"{symbol} is halted, and takes no orders of anybody; go on with: {'; '.join(words)}")


@contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """Keep a second one away, in another shell: both would trade the same position."""
    lock = LockFile(run_dir / FLATTEN, "flatten")
    try:
        yield
    finally:
        lock.release()


def _maker_row(run_dir: Path) -> dict[str, Any] | None:
    return None if desk_pid(run_dir) is None else maker_row(run_dir)


def _neutral(settings: Settings, venue: BinanceAccount, quoted: str, named: Decimal | None) -> Neutral:
    """Return what a position is counted from: what is named, the setting, or what the maker of this desk goes by.

    Raises:
        DeskError: if nobody says.
    """
    if named is not None:
        return Neutral(named, "as was said")
    if quoted == settings.symbol:
        if settings.maker.neutral is not None:
            return Neutral(settings.maker.neutral, "maker.neutral")
        try:
            row = _maker_row(settings.run_dir)
        except SilentDeskError:  # its file tells the same
            row = None
        if row is not None and (told := row["figures"].get("neutral")) is not None:
            return Neutral(Decimal(told), FIRST_HELD)
        kept = kept_account(settings.run_dir, risk_name(venue.account_name, settings.symbol))
        if kept is not None:  # by its file: it does not run
            return Neutral(kept.neutral_qty, FIRST_HELD)
    base = settings.instrument.base
    raise DeskError(f"nobody says how much {base} is no position: give it, as --neutral 1; 0 sells all")


def _stop_maker(run_dir: Path, tell: Tell) -> None:
    """Stop the maker, which cancels its orders, unless none runs.

    Raises:
        DeskError: if it is not stopped, or may have left orders.
    """
    row = _maker_row(run_dir)
    if row is None or row["state"] in ("stopped", "failed"):  # of itself neither comes back
        if "maker" in lone_nodes(run_dir):
            raise DeskError("the maker runs without a supervisor and quotes on: stop it first")
        return
    if row["state"] == "waiting" and withdrawn(run_dir) is not None:
        return  # it has no order, and none before a resume, which is refused meanwhile
    with_it = [each["node"] for each in desk_status(run_dir)["nodes"] if each["process"] == row["process"]]
    if "paper" in with_it:
        raise DeskError(f"{' and '.join(with_it)} are threads of one process: the maker cannot be stopped alone")
    for line in stop_node(run_dir, "maker"):
        tell(line)


def _may_arrive(run_dir: Path) -> bool:
    """Whether a maker that was killed with its desk may have sent an order that is still on its way."""
    return desk_pid(run_dir) is None and may_have_left(run_dir)


class Flattener:
    """An account in one pair whose position is taken to nothing.

    Attributes:
        shown: the mid, quote per base, and the most that it costs, quote amount, by what was told; None if nothing is
            to be traded.
    """

    def __init__(
        self,
        settings: Settings,
        venue: BinanceAccount,
        rules: OrderRules,
        neutral: Neutral,
        band: Decimal,
        tell: Tell,
    ) -> None:
        self._instrument: Instrument = settings.instrument
        self._venue = venue
        self._venue_name = settings.venue.name
        self._rules = rules
        self._neutral = neutral
        self._band = band
        self._slice_notional = settings.maker.notional
        self._fee_max = settings.fee_max
        self._off_max = OFF_MAX + self._fee_max
        self._run_dir = settings.run_dir
        self._prefix = own_prefix(settings.run_dir)
        self._tell = tell
        self.shown: tuple[Decimal, Decimal] | None = None
        self._shown_mid_ticks_x2: int | None = None  # what was agreed to is no worse than its band around this
        self._ids = (f"{FLATTEN_PREFIX}{secrets.token_hex(6)}-{n}" for n in itertools.count(1))

    def show(self) -> None:
        """Tell what there is to do, and what that would cost now."""
        pair = self._instrument
        held = self._held_qty()
        position = held - self._neutral.qty
        whose = f"{self._qty(held)} held, {self._qty(self._neutral.qty)} neutral, {self._neutral.whose}"
        self._tell(f"{pair.symbol} at {self._venue_name}: position {self._qty(position)} ({whose})")
        if not self._lots(position):
            self._tell("there is nothing to trade")
            return
        own: dict[tuple[int, int], int] = {}
        for order in self._venue.open_orders(pair):
            if (terms := in_steps(order.price, order.leaves_qty, pair)) is not None:  # else of a run with other steps
                at = int(order.side), terms[0]
                own[at] = own.get(at, 0) + terms[1]
        depth = self._venue.depth(pair, LEVELS).without(own)
        if depth.mid_ticks_x2 is None:
            raise DeskError(f"a side of the book of {pair.symbol} is empty: nobody knows what it would cost")
        self._shown_mid_ticks_x2 = depth.mid_ticks_x2
        flat, lots = self._flattening(position, depth.mid_ticks_x2), self._lots(position)
        cost = flat.cost(depth, lots)
        mid = Decimal(depth.mid_ticks_x2) / 2 * pair.tick_size
        self.shown = mid, cost.slippage + cost.notional * self._fee_max
        worst = price_text(pair.ticks_to_price(flat.limit_ticks), pair)
        size = money_text(self._slice_notional, pair.quote)
        self._tell(f"to {flat.side.name.lower()} in orders of {size}, none worse than {worst}, at once or not at all")
        there = self._qty(pair.lots_to_qty(cost.qty_lots))
        if cost.qty_lots:
            bps = f"{cost.slippage / (mid * pair.lots_to_qty(cost.qty_lots)) * 10_000:.2f} bps"
            fees = f"fees of {money_text(cost.notional * self._fee_max, pair.quote)} at most"
            slippage = f"slippage {money_text(cost.slippage, pair.quote)}, {bps} of the mid {price_text(mid, pair)}"
            self._tell(f"the book has {there} of it: {money_text(cost.notional, pair.quote)}, {slippage}, and {fees}")
        if cost.qty_lots < lots:
            self._tell(f"the rest has to come: {self._qty(pair.lots_to_qty(lots - cost.qty_lots))} is not in the book")

    def refuse_others(self) -> None:
        """Make sure that nobody else has open orders: nothing was done yet, and the maker quotes on.

        Raises:
            DeskError: as `cancel_own`.
        """
        opened = self._venue.open_orders(self._instrument)
        self._refuse(sum(not order.client_order_id.startswith(self._prefix) for order in opened))

    def _refuse(self, others: int) -> None:
        if others:
            cancel = command_text("cancel --all", self._run_dir)
            how = f"{cancel} ends those by hand, `orders --json` tells the ids of all"
            what = f"{counted(others, 'order')} of this account by others than the maker"
            raise DeskError(f"{what}: cancel them first; {how}")

    def cancel_own(self) -> None:
        """Cancel what a maker may have left.

        Raises:
            DeskError: if orders of others are open: they would trade again, and hold what is to be traded.
        """
        opened = self._venue.open_orders(self._instrument)
        ours = [order for order in opened if order.client_order_id.startswith(self._prefix)]
        for order in cancel_known(self._venue, ours):
            self._tell(f"cancelled {order.order_id}, which a maker had left")
        self._refuse(len(opened) - len(ours))

    def run(self) -> None:
        """Trade until no order could make the position smaller, within the band of the mid that `show` has told.

        Raises:
            DeskError: if it cannot be.
            VenueError: if the venue refuses.
        """
        held = self._settled_qty()
        mid_ticks_x2 = self._shown_mid_ticks_x2 or self._mid_ticks_x2()
        for _ in range(ROUNDS_MAX):  # a fee in the base asset leaves something again
            position = held - self._neutral.qty
            flat = self._flattening(position, mid_ticks_x2)
            if self._lots(position) < flat.smallest_lots:
                rest = f"; {self._qty(position)} is left, less than the venue takes as an order" if position else ""
                self._tell(f"{self._instrument.symbol} is flat{rest}")
                return
            traded = self._trade(flat, self._lots(position))
            held = self._settled_qty(held, traded if flat.side == Side.BUY else -traded)
        raise DeskError(f"the position is {self._qty(held - self._neutral.qty)} after {ROUNDS_MAX} rounds")

    def _trade(self, flat: Flattening, lots: int) -> Decimal:
        """Take slices until what is left is no order; return what was traded."""
        pair, left, idle = self._instrument, lots, 0
        while left >= flat.smallest_lots:
            size = flat.next_lots(self._venue.depth(pair, LEVELS), left)
            filled = self._slice(flat, size) if size else Decimal(0)
            left -= pair.qty_to_lots(filled) if filled else 0
            idle = 0 if filled else idle + 1
            if idle == IDLE_MAX:
                worst, rest = price_text(pair.ticks_to_price(flat.limit_ticks), pair), pair.lots_to_qty(left)
                raise DeskError(f"nobody trades at {worst} or better: {self._qty(rest)} is left")
            if left >= flat.smallest_lots:
                time.sleep(PAUSE_S)
        return pair.lots_to_qty(lots - left)

    def _slice(self, flat: Flattening, lots: int) -> Decimal:
        """Enter one order, and return what it has traded."""
        pair, client_order_id = self._instrument, next(self._ids)
        terms = {
            "type": "LIMIT",
            "timeInForce": "IOC",
            "quantity": f"{pair.lots_to_qty(lots):f}",
            "price": f"{pair.ticks_to_price(flat.limit_ticks):f}",
        }
        try:
            order = self._venue.enter(pair, flat.side, terms, client_order_id)
        except VenueUnavailableError as error:  # it has not left
            self._tell(str(error))
            return Decimal(0)
        except VenueUnknownError as error:
            self._tell(f"{error}: asking what became of {client_order_id}")
            return self._fate_of(client_order_id)
        if order.is_open:
            return self._fate_of(client_order_id)
        return self._told(order)

    def _told(self, order: VenueOrder) -> Decimal:
        price = "" if order.fill_price is None else f" at {price_text(round(order.fill_price, 2), self._instrument)}"
        self._tell(f"{order.side.name} {self._qty(order.filled_qty)} of {self._qty(order.qty)}{price}")
        return order.filled_qty

    def _fate_of(self, client_order_id: str) -> Decimal:
        """Ask until it is final what an order has traded: nothing only if the venue denies it twice, late enough.

        Raises:
            DeskError: if nobody says. It is not entered again.
        """
        began, denials, why, wait_s = time.monotonic(), 0, "the venue does not say", PAUSE_S
        while time.monotonic() + wait_s - PAUSE_S < began + ANSWER_S_MAX:
            time.sleep(wait_s - PAUSE_S)
            asked, wait_s = time.monotonic(), PAUSE_S
            try:
                order = self._venue.find_order(self._instrument, client_order_id)
            except VenueRefusedError:
                raise
            except VenueError as error:
                why, wait_s = str(error), max(PAUSE_S, error.retry_after_s)
            else:
                if order is not None and not order.is_open:
                    return self._told(order)
                denials += order is None and asked > began + ARRIVAL_S_MAX
                if denials == 2:
                    self._tell(f"{client_order_id} has not arrived")
                    return Decimal(0)
            time.sleep(PAUSE_S)
        raise DeskError(f"the fate of order {client_order_id} is unknown ({why}): look for it in `history`")

    def _held_qty(self) -> Decimal:
        balance = self._venue.balances().get(self._instrument.base)
        return Decimal(0) if balance is None else balance.total

    def _settled_qty(self, before: Decimal | None = None, traded: Decimal = Decimal(0)) -> Decimal:
        """Return what is held, once two answers agree, and also with what was traded since `before`: one may lag.

        Raises:
            DeskError: if they do not: somebody else trades on this account, or the balances are old.
        """
        began, last = time.monotonic(), None
        while time.monotonic() < began + ARRIVAL_S_MAX:
            held = self._held_qty()
            if held == last and (before is None or abs(held - before - traded) <= self._off_max * abs(traded)):
                return held
            last = held
            time.sleep(PAUSE_S)
        raise DeskError(f"the balances do not agree with what was traded: {last} held, {before} + {traded} expected")

    def _mid_ticks_x2(self) -> int:
        began = time.monotonic()
        while time.monotonic() < began + ARRIVAL_S_MAX:
            if (mid_ticks_x2 := self._venue.depth(self._instrument, LEVELS).mid_ticks_x2) is not None:
                return mid_ticks_x2
            time.sleep(PAUSE_S)
        raise DeskError("a side of the book is empty: there is no mid to stay near to")

    def _flattening(self, position: Decimal, mid_ticks_x2: int) -> Flattening:
        side = Side.SELL if position > 0 else Side.BUY
        return Flattening.around(self._instrument, self._rules, side, mid_ticks_x2, self._band, self._slice_notional)

    def _lots(self, position: Decimal) -> int:
        return int(abs(position) // self._instrument.lot_size)

    def _qty(self, qty: Decimal) -> str:
        return f"{amount_text(qty, self._instrument.base)} {self._instrument.base}"
