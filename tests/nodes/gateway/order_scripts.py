"""What TCP clients of a real gateway do, and the execution reports they must get: one script for each kind of order."""

from market.codes import SelfTradePrevention
from market.commands import AmendOrder, MassCancel, NewOrder
from tests.nodes.gateway.script_words import (
    BTC,
    BUY,
    FOK,
    IOC,
    MARKET,
    POST_ONLY,
    SELL,
    STOP,
    TAKE_PROFIT,
    Report,
    Script,
    a,
    amend,
    b,
    cancel,
    order,
)


def _prevented(mode: SelfTradePrevention, told: list[Report]) -> Script:
    """Client `a` sweeps over an order of `b`, one of its own and one more of `b`."""
    entry: list[Report] = [("accepted", 1, 2), ("accepted", 2, 0)]
    steps = [b(order(1, SELL, 1, 1)), a(order(1, SELL, 2, 2)), b(order(2, SELL, 3, 3))]
    both = sum(1 for report in told if report[0] == "trade" and report[1] == 3)
    told_b: list[Report] = [("accepted", 1, 1), ("accepted", 2, 3), ("trade", 1, 1, "maker", 1, 0)]
    told_b += [("trade", 3, 3, "maker", 2, 0)] * both
    steps.append(a(order(2, BUY, 3, 6, prevention=int(mode))))
    return Script(f"self-trade prevention {mode.name}", steps, entry + told, told_b)


SCRIPTS = [
    Script(
        "a limit order rests, trades in part at its own price, and is cancelled",
        [a(order(1, BUY, 0, 5)), b(order(1, SELL, -3, 2)), a(cancel(1))],
        [("accepted", 1, 5), ("trade", 0, 2, "maker", 1, 3), ("canceled", 1, 3, 0, "REQUESTED")],
        [("accepted", 1, 0), ("trade", 0, 2, "taker", 1, 0)],
    ),
    Script(
        "a limit order sweeps two levels and its rest joins the book",
        [b(order(1, SELL, 1, 2)), b(order(2, SELL, 2, 2)), a(order(1, BUY, 2, 7)), a(cancel(1))],
        [
            ("accepted", 1, 0),
            ("trade", 1, 2, "taker", 1, 5),
            ("trade", 2, 2, "taker", 1, 3),
            ("rested", 1, 2, 3, 3),
            ("canceled", 1, 3, 0, "REQUESTED"),
        ],
        [
            ("accepted", 1, 2),
            ("accepted", 2, 2),
            ("trade", 1, 2, "maker", 1, 0),
            ("trade", 2, 2, "maker", 2, 0),
        ],
    ),
    Script(
        "a market order takes what there is and its rest is cancelled",
        [b(order(1, SELL, 1, 2)), a(order(1, BUY, 0, 5, order_type=MARKET))],
        [("accepted", 1, 0), ("trade", 1, 2, "taker", 1, 3), ("canceled", 1, 3, 0, "NO_LIQUIDITY")],
        [("accepted", 1, 2), ("trade", 1, 2, "maker", 1, 0)],
    ),
    Script(
        "a fill-or-kill market order that finds too little does nothing",
        [b(order(1, SELL, 1, 2)), a(order(1, BUY, 0, 3, order_type=MARKET, time_in_force=FOK)), b(cancel(1))],
        [("accepted", 1, 0), ("canceled", 1, 3, 0, "FILL_OR_KILL")],
        [("accepted", 1, 2), ("canceled", 1, 2, 0, "REQUESTED")],
    ),
    Script(
        "an immediate-or-cancel order never rests",
        [b(order(1, SELL, 1, 2)), a(order(1, BUY, 1, 5, time_in_force=IOC))],
        [("accepted", 1, 0), ("trade", 1, 2, "taker", 1, 3), ("canceled", 1, 3, 0, "IMMEDIATE_OR_CANCEL")],
        [("accepted", 1, 2), ("trade", 1, 2, "maker", 1, 0)],
    ),
    Script(
        "a fill-or-kill order trades all or nothing",
        [
            b(order(1, SELL, 1, 2)),
            b(order(2, SELL, 2, 2)),
            a(order(1, BUY, 2, 5, time_in_force=FOK)),
            a(order(2, BUY, 2, 4, time_in_force=FOK)),
        ],
        [
            ("accepted", 1, 0),
            ("canceled", 1, 5, 0, "FILL_OR_KILL"),
            ("accepted", 2, 0),
            ("trade", 1, 2, "taker", 2, 2),
            ("trade", 2, 2, "taker", 2, 0),
        ],
        [
            ("accepted", 1, 2),
            ("accepted", 2, 2),
            ("trade", 1, 2, "maker", 1, 0),
            ("trade", 2, 2, "maker", 2, 0),
        ],
    ),
    Script(
        "a post-only order rests, or is refused if it would trade",
        [
            b(order(1, SELL, 1, 2)),
            a(order(1, BUY, 1, 5, order_type=POST_ONLY)),
            a(order(2, BUY, 0, 5, order_type=POST_ONLY)),
            b(order(2, SELL, 0, 5, time_in_force=IOC)),
            b(cancel(1)),
        ],
        [("rejected", 1, "POST_ONLY_WOULD_CROSS"), ("accepted", 2, 5), ("trade", 0, 5, "maker", 2, 0)],
        [
            ("accepted", 1, 2),
            ("accepted", 2, 0),
            ("trade", 0, 5, "taker", 2, 0),
            ("canceled", 1, 2, 0, "REQUESTED"),
        ],
    ),
    Script(
        "an iceberg shows a part and refills behind those that came later",
        [
            a(order(1, SELL, 1, 5, display_lots=2)),
            a(order(2, SELL, 1, 1)),
            b(order(1, BUY, 1, 5, time_in_force=IOC)),
            a(cancel(1)),
        ],
        [
            ("accepted", 1, 2),
            ("accepted", 2, 1),
            ("trade", 1, 2, "maker", 1, 3),
            ("rested", 1, 1, 2, 3),
            ("trade", 1, 1, "maker", 2, 0),
            ("trade", 1, 2, "maker", 1, 1),
            ("rested", 1, 1, 1, 1),
            ("canceled", 1, 1, 0, "REQUESTED"),
        ],
        [
            ("accepted", 1, 0),
            ("trade", 1, 2, "taker", 1, 3),
            ("trade", 1, 1, "taker", 1, 2),
            ("trade", 1, 2, "taker", 1, 0),
        ],
    ),
    Script(
        "a buy stop wakes at a higher trade and trades as a market order",
        [
            a(order(1, BUY, 0, 3, order_type=MARKET, trigger=STOP, wakes_at=5)),
            b(order(1, SELL, 5, 1)),
            b(order(2, SELL, 7, 2)),
            b(order(3, BUY, 5, 1, time_in_force=IOC)),
        ],
        [
            ("accepted", 1, 0),
            ("triggered", 1),
            ("trade", 7, 2, "taker", 1, 1),
            ("canceled", 1, 1, 0, "NO_LIQUIDITY"),
        ],
        [
            ("accepted", 1, 1),
            ("accepted", 2, 2),
            ("accepted", 3, 0),
            ("trade", 5, 1, "maker", 1, 0),
            ("trade", 5, 1, "taker", 3, 0),
            ("trade", 7, 2, "maker", 2, 0),
        ],
    ),
    Script(
        "a sell stop limit wakes at a lower trade and rests",
        [
            a(order(1, SELL, -4, 3, trigger=STOP, wakes_at=-5)),
            b(order(1, BUY, -5, 1)),
            b(order(2, SELL, -5, 1, time_in_force=IOC)),
            a(cancel(1)),
        ],
        [("accepted", 1, 0), ("triggered", 1), ("rested", 1, -4, 3, 3), ("canceled", 1, 3, 0, "REQUESTED")],
        [("accepted", 1, 1), ("accepted", 2, 0), ("trade", -5, 1, "maker", 1, 0), ("trade", -5, 1, "taker", 2, 0)],
    ),
    Script(
        "take-profit orders wake on the other side, by trigger price, then time",
        [
            a(order(1, SELL, 9, 1, trigger=TAKE_PROFIT, wakes_at=6)),
            a(order(2, SELL, 9, 1, trigger=TAKE_PROFIT, wakes_at=5)),
            a(order(3, SELL, 9, 1, trigger=TAKE_PROFIT, wakes_at=5)),
            a(order(4, BUY, -9, 1, trigger=TAKE_PROFIT, wakes_at=-5)),
            b(order(1, SELL, 6, 1)),
            b(order(2, BUY, 6, 1)),
            b(order(3, BUY, -5, 1)),
            b(order(4, SELL, -5, 1)),
        ],
        [
            *(("accepted", n, 0) for n in (1, 2, 3, 4)),
            *(row for n in (2, 3, 1) for row in (("triggered", n), ("rested", n, 9, 1, 1))),
            ("triggered", 4),
            ("rested", 4, -9, 1, 1),
        ],
        [
            ("accepted", 1, 1),
            ("accepted", 2, 0),
            ("trade", 6, 1, "maker", 1, 0),
            ("trade", 6, 1, "taker", 2, 0),
            ("accepted", 3, 1),
            ("accepted", 4, 0),
            ("trade", -5, 1, "maker", 3, 0),
            ("trade", -5, 1, "taker", 4, 0),
        ],
    ),
    Script(
        "a stop whose condition already holds wakes at once, and one triggers another",
        [
            b(order(1, SELL, 1, 1)),
            b(order(2, SELL, 2, 1)),
            a(order(1, BUY, 0, 1, order_type=MARKET, trigger=STOP, wakes_at=1)),
            a(order(2, BUY, 0, 1, order_type=MARKET, trigger=STOP, wakes_at=0)),
        ],
        [
            ("accepted", 1, 0),
            ("accepted", 2, 0),
            ("triggered", 2),
            ("trade", 1, 1, "taker", 2, 0),
            ("triggered", 1),
            ("trade", 2, 1, "taker", 1, 0),
        ],
        [
            ("accepted", 1, 1),
            ("accepted", 2, 1),
            ("trade", 1, 1, "maker", 1, 0),
            ("trade", 2, 1, "maker", 2, 0),
        ],
    ),
    Script(
        "a woken post-only order that would trade is cancelled; a waiting order can be amended and cancelled",
        [
            b(order(1, SELL, 3, 1)),
            a(order(1, BUY, 4, 2, order_type=POST_ONLY, trigger=STOP, wakes_at=0)),
            a(order(2, BUY, 4, 2, trigger=STOP, wakes_at=50)),
            a(amend(2, 5, 9)),
            a(cancel(2)),
        ],
        [
            ("accepted", 1, 0),
            ("triggered", 1),
            ("canceled", 1, 2, 0, "POST_ONLY_WOULD_CROSS"),
            ("accepted", 2, 0),
            ("amended", 2, 5, 9, 0),
            ("canceled", 2, 9, 0, "REQUESTED"),
        ],
        [("accepted", 1, 1)],
    ),
    Script(
        "a smaller amend keeps its place, a larger one goes to the back",
        [
            a(order(1, BUY, 0, 5)),
            a(order(2, BUY, 0, 5)),
            a(amend(1, 0, 4)),
            b(order(1, SELL, 0, 1)),
            a(amend(1, 0, 6)),
            b(order(2, SELL, 0, 6)),
        ],
        [
            ("accepted", 1, 5),
            ("accepted", 2, 5),
            ("amended", 1, 0, 4, 4),
            ("trade", 0, 1, "maker", 1, 3),
            ("amended", 1, 0, 6, 0),
            ("rested", 1, 0, 6, 6),
            ("trade", 0, 5, "maker", 2, 0),
            ("trade", 0, 1, "maker", 1, 5),
        ],
        [
            ("accepted", 1, 0),
            ("trade", 0, 1, "taker", 1, 0),
            ("accepted", 2, 0),
            ("trade", 0, 5, "taker", 2, 1),
            ("trade", 0, 1, "taker", 2, 0),
        ],
    ),
    Script(
        "an amend into a cross trades at the maker's price",
        [b(order(1, SELL, 5, 4)), a(order(1, BUY, 0, 6)), a(amend(1, 9, 6))],
        [("accepted", 1, 6), ("amended", 1, 9, 6, 0), ("trade", 5, 4, "taker", 1, 2), ("rested", 1, 9, 2, 2)],
        [("accepted", 1, 4), ("trade", 5, 4, "maker", 1, 0)],
    ),
    Script(
        "a mass cancel of a side leaves the other, of a symbol the other symbol, and of all nothing of the client's",
        [
            b(order(1, BUY, -1, 1)),
            a(order(1, BUY, -1, 1)),
            a(order(2, SELL, 1, 2)),
            a(order(3, SELL, 9, 3, trigger=TAKE_PROFIT, wakes_at=50)),
            a(NewOrder(4, 1, BUY, 300_000, 4)),
            a(MassCancel(BTC, BUY)),
            a(MassCancel(BTC)),
            a(MassCancel()),
            b(cancel(1)),
        ],
        [
            ("accepted", 1, 1),
            ("accepted", 2, 2),
            ("accepted", 3, 0),
            ("accepted", 4, 4),
            ("canceled", 1, 1, 0, "MASS_CANCEL"),
            ("canceled", 2, 2, 0, "MASS_CANCEL"),
            ("canceled", 3, 3, 0, "MASS_CANCEL"),
            ("canceled", 4, 4, 0, "MASS_CANCEL"),
        ],
        [("accepted", 1, 1), ("canceled", 1, 1, 0, "REQUESTED")],
    ),
    _prevented(
        SelfTradePrevention.NONE,
        [
            ("trade", 1, 1, "taker", 2, 5),
            ("trade", 2, 2, "maker", 1, 0),
            ("trade", 2, 2, "taker", 2, 3),
            ("trade", 3, 3, "taker", 2, 0),
        ],
    ),
    _prevented(
        SelfTradePrevention.EXPIRE_TAKER,
        [("trade", 1, 1, "taker", 2, 5), ("canceled", 2, 5, 0, "SELF_TRADE_PREVENTION")],
    ),
    _prevented(
        SelfTradePrevention.EXPIRE_MAKER,
        [
            ("trade", 1, 1, "taker", 2, 5),
            ("canceled", 1, 2, 0, "SELF_TRADE_PREVENTION"),
            ("trade", 3, 3, "taker", 2, 2),
            ("rested", 2, 3, 2, 2),
        ],
    ),
    _prevented(
        SelfTradePrevention.EXPIRE_BOTH,
        [
            ("trade", 1, 1, "taker", 2, 5),
            ("canceled", 1, 2, 0, "SELF_TRADE_PREVENTION"),
            ("canceled", 2, 5, 0, "SELF_TRADE_PREVENTION"),
        ],
    ),
    _prevented(
        SelfTradePrevention.DECREMENT,
        [
            ("trade", 1, 1, "taker", 2, 5),
            ("canceled", 1, 2, 0, "SELF_TRADE_PREVENTION"),
            ("canceled", 2, 2, 3, "SELF_TRADE_PREVENTION"),
            ("trade", 3, 3, "taker", 2, 0),
        ],
    ),
    Script(
        "what breaks a rule is refused by name and changes nothing",
        [
            a(order(1, BUY, 0, 5, display_lots=6)),
            a(order(3, BUY, 0, 5, order_type=3)),
            a(order(4, BUY, 0, 5, time_in_force=3)),
            a(order(5, BUY, 0, 5, prevention=5)),
            a(order(6, BUY, 0, 5, trigger=STOP)),
            a(order(7, BUY, 0, 0)),
            a(NewOrder(8, BTC, BUY, 0, 5)),
            a(order(9, BUY, 0, 5)),
            a(AmendOrder(9, BTC, 0, 4)),
            a(amend(99, 0, 4)),
            a(cancel(99)),
            a(amend(9, 0, 4)._replace(expected_leaves_lots=3)),
        ],
        [
            ("rejected", 1, "BAD_DISPLAY_QTY"),
            ("rejected", 3, "BAD_TYPE"),
            ("rejected", 4, "BAD_TIME_IN_FORCE"),
            ("rejected", 5, "BAD_SELF_TRADE_PREVENTION"),
            ("rejected", 6, "BAD_TRIGGER"),
            ("rejected", 7, "BAD_QTY"),
            ("rejected", 8, "BAD_PRICE"),
            ("accepted", 9, 5),
            ("rejected", 9, "BAD_PRICE"),
            ("rejected", 99, "UNKNOWN_ORDER"),
            ("rejected", 99, "UNKNOWN_ORDER"),
            ("rejected", 9, "LEAVES_CHANGED"),
        ],
    ),
]
