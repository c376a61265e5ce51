"""A small wild market: random commands of every kind, and an engine that answers them."""

from random import Random

from engine.matching_engine import MatchingEngine, make_engine
from market.codes import OrderType, SelfTradePrevention, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, MassCancel, NewOrder
from market.kernels.rows import write_command
from market.limits import ORDER_IDS_PER_SOURCE, OWNERS_PER_SOURCE

SYMBOL_COUNT = 2
SOURCES = (1, 2, 3)
BATCH_COMMANDS = 16
ORDERS_MAX = 1_000


def random_command(random: Random, number: int) -> Command:
    """Return a command about one of the last orders, or a new order with this number."""
    source = random.choice(SOURCES)
    owner = source * OWNERS_PER_SOURCE + random.randrange(2)
    symbol = random.randrange(SYMBOL_COUNT)
    known = source * ORDER_IDS_PER_SOURCE + max(1, number - random.randrange(40))
    price, qty = random.randrange(95, 106), random.randrange(1, 60)
    match random.randrange(20):
        case 0 | 1 | 2:
            return CancelOrder(known, symbol, owner)
        case 3 | 4 | 5:
            return AmendOrder(known, symbol, price, qty, owner, 0, random.choice((0, 0, qty + 1)))
        case 6 if random.random() < 0.2:
            return MassCancel(symbol, random.randrange(-1, 2), owner)
        case 7 if random.random() < 0.2:
            return HaltSymbol(symbol, int(random.random() < 0.3))
    order_type = random.choice((*OrderType, OrderType.LIMIT, OrderType.LIMIT))
    is_market = order_type == OrderType.MARKET
    rests = order_type == OrderType.POST_ONLY or random.random() < 0.7
    trigger = Trigger.NONE if random.random() < 0.8 else random.choice((Trigger.STOP, Trigger.TAKE_PROFIT))
    return NewOrder(
        order_id=source * ORDER_IDS_PER_SOURCE + number,
        symbol_id=symbol,
        side=random.randrange(2),
        price_ticks=0 if is_market else price,
        qty_lots=qty,
        order_type=int(order_type),
        time_in_force=int(TimeInForce.GTC if rests and not is_market else random.choice((1, 2))),
        self_trade_prevention=int(random.choice(tuple(SelfTradePrevention))),
        display_lots=random.choice((0, 0, 1, qty // 3)) if rests and not is_market else 0,
        trigger=int(trigger),
        trigger_price_ticks=random.randrange(95, 106) if trigger else 0,
        owner=owner,
    )


class WildMarket:
    """An engine that is given random commands, a batch at a time."""

    def __init__(self, seed: int, event_slots: int = 64) -> None:
        self.engine: MatchingEngine = make_engine(
            "reference",
            SYMBOL_COUNT,
            orders_max=ORDERS_MAX,
            pages_max=16,
            command_slots=BATCH_COMMANDS,
            event_slots=event_slots,
        )
        self._random = Random(seed)
        self._number = 0

    def send_batch(self) -> None:
        """Fill the ring of commands."""
        ring = self.engine.commands
        while ring.free_count:
            self._number += 1
            write_command(ring.rows, ring.claim(), random_command(self._random, self._number))
            ring.publish()
