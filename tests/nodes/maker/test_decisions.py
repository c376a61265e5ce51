"""The maker's journal of decisions: each once, with the code of its rule and the numbers that triggered it."""

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from desk.decisions_file import DecisionsFile, last_decisions
from market.account import VenueOrder
from market.clock import NS_PER_MS, iso_time, time_ns
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from nodes.maker.decisions import WatchdogDecisions
from tests.nodes.maker.makers import AWAY, LOST, ScriptedMaker, Told, a_maker, figures, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.actions import Action, Cancel
from trading.own_orders import OwnOrders
from trading.reasons import STOPPING
from venues.venue import VenueRefusedError

REFUSED = VenueRefusedError("insufficient balance", -2010)
ALL = 100_000


def _told(run_dir: Path) -> list[tuple[str, str | None, str]]:
    return [(each["action"], each["side"], each["rule"]) for each in last_decisions(run_dir, ALL)]


def test_cancel_that_is_refused_is_followed_by_a_line_that_says_so(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path
) -> None:
    """The journal had it cancelled, and the report every later fill of it picked off."""
    quoting.cycle()
    venue.mid_ticks = None
    venue.fates["cancel"] = [VenueRefusedError("Market is closed.", -2011)]
    quoting.cycle()
    kept, cancel = (
        next(each for each in last_decisions(run_dir, ALL) if each["action"] == action) for action in ("kept", "cancel")
    )
    assert (kept["side"], kept["rule"], kept["why"]) == ("BUY", "REFUSED", "Market is closed.")
    assert [kept[name] for name in ("price", "qty", "client_order_id")] == [
        cancel[name] for name in ("price", "qty", "client_order_id")
    ]


def test_place_cancel_and_idle_side_are_a_line_each(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path
) -> None:
    """What stays as it is adds none; prices and quantities are exact, and the numbers say what triggered it."""
    for _ in range(3):
        quoting.cycle()
    assert _told(run_dir)[-2:] == [("place", "BUY", "WANTED"), ("place", "SELL", "WANTED")]
    count = len(_told(run_dir))
    venue.mid_ticks = 9_138_500 + 2_800
    quoting.cycle()
    moved = [("cancel", "BUY"), ("place", "BUY"), ("cancel", "SELL"), ("place", "SELL")]
    assert _told(run_dir)[count:] == [(action, side, "TOLERANCE") for action, side in moved]
    cancel: JsonObject = last_decisions(run_dir, 4)[0]
    assert (cancel["price"], cancel["qty"]) == (Decimal("91202.23"), Decimal("0.01094"))
    assert cancel["numbers"] == {"off_price": Decimal("27.94"), "tolerance_price": Decimal("27.42")}
    assert cancel["client_order_id"].startswith("tb-mine-")
    (bid,) = [order_id for order_id, order in venue.orders.items() if order.side == Side.BUY]
    venue.fill(bid, Decimal("0.00094"))
    quoting.cycle()
    venue.mid_ticks = None
    for _ in range(3):
        quoting.cycle()
    left = [each["qty"] for each in last_decisions(run_dir, 4) if each["action"] == "cancel"]
    assert left == [Decimal("0.00999"), Decimal("0.01093")]
    text = next(run_dir.glob("decisions_*.jsonl")).read_text(encoding="ascii")
    assert '"qty": 0.01094,' in text, "no zeros behind it, whoever has told it"
    assert _told(run_dir)[count + 4 :] == [
        (action, side, "NO_MID") for action in ("cancel", "idle") for side in ("BUY", "SELL")
    ]
    assert (figures(quoting)["bid_rule"], figures(quoting)["ask_rule"]) == ("NO_MID", "NO_MID")


@pytest.mark.parametrize("fate", ["watchdog", "watchdog, and a list lags", "nobody", "told before it died"])
def test_order_that_one_run_leaves_and_its_watchdog_cancels_has_one_end(
    venue: ScriptedVenue, now: list[int], run_dir: Path, fate: str
) -> None:
    """The successor found it cancelled, and told of that again, as if somebody else had done it."""
    with a_maker(run_dir, venue) as killed:
        killed.cycle()
    left = list(venue.orders.values())
    assert len(left) == 2
    if fate == "told before it died":
        killed.maker._log._decisions.act([Cancel(each.client_order_id, "", STOPPING) for each in left], _own(killed))
        killed.maker._log._decisions.write()
    watchdog = WatchdogDecisions(run_dir, "it was silent", structlog.get_logger(), time_ns)
    for order in left:
        ended = venue.end(order.order_id, "CANCELED")
        if fate != "nobody":
            watchdog.cancelled(ended)
        if fate.endswith("lags"):
            venue.orders[order.order_id] = order
            venue.before["cancel"] = venue.orders.clear
    with a_maker(run_dir, venue) as successor:
        successor.cycle()
        successor.cycle()
        successor.stop()
    ends = [
        (each["client_order_id"], each["action"], each["rule"])
        for each in last_decisions(run_dir, ALL)
        if each["action"] in ("cancel", "ended") and each["client_order_id"] in {one.client_order_id for one in left}
    ]
    end = {"nobody": ("ended", "AT_VENUE"), "told before it died": ("cancel", "STOPPING")}
    assert sorted(ends) == sorted((each.client_order_id, *end.get(fate, ("cancel", "WATCHDOG"))) for each in left)


def _own(maker: ScriptedMaker) -> OwnOrders:
    return maker.maker._trader.orders


def test_each_order_has_the_level_and_the_model_of_its_quote(
    venue: ScriptedVenue, now: list[int], run_dir: Path
) -> None:
    """As it was placed: an order that is moved has those of the quote it is moved for, one that is cancelled none."""
    with a_maker(run_dir, venue, levels=3, model="volatility") as maker:
        maker.cycle()
        venue.mid_ticks = 9_138_500 + 40_000
        maker.cycle()
        maker.stop()
    told = last_decisions(run_dir, ALL)
    placed = [each for each in told if each["action"] == "place"]
    assert len(placed) == 12
    assert {each["model"] for each in placed} == {"volatility"}
    for side, sign in (("BUY", -1), ("SELL", 1)):
        for of_one_mid in (placed[:6], placed[6:]):
            mine = [each for each in of_one_mid if each["side"] == side]
            assert [each["level"] for each in sorted(mine, key=lambda one: sign * one["price"])] == [1, 2, 3]
    assert {(each["level"], each["model"]) for each in told if each["action"] == "cancel"} == {(None, None)}


def test_every_limit_that_binds_is_told_in_the_journal_and_by_why(
    venue: ScriptedVenue, now: list[int], run_dir: Path
) -> None:
    """The size of an order hid that there were too many; a side that is quoted all the same said nothing of either."""
    venue.totals["USDT"] = "100000"
    limits: dict[str, Any] = {"limits.open_orders": 2, "limits.order": 500}
    with a_maker(run_dir, venue, levels=2, **limits) as maker:
        maker.cycle()
        shown = dict(figures(maker))
        maker.stop()
    limited = [each for each in _told(run_dir) if each[0] == "limited"]
    rules = ("OPEN_ORDERS_LIMIT", "ORDER_LIMIT")
    assert limited == [("limited", side, rule) for side in ("BUY", "SELL") for rule in rules]
    assert (shown["bid_rule"], shown["bid_bound"], shown["bid_idle"]) == ("WANTED", list(rules), None)
    assert "OPEN_ORDERS_LIMIT: 4 orders are wanted, at most 2; ORDER_LIMIT: level 1 at 91202.23 is" in shown["bid_why"]
    assert [text[:21] for text in shown["bid_bound_why"]] == ["4 orders are wanted, ", "level 1 at 91202.23 i"]


def test_each_quote_tells_its_level_and_whether_it_hangs(venue: ScriptedVenue, now: list[int], run_dir: Path) -> None:
    """A person could not tell an order that was left behind a fill from one that is wanted."""
    venue.totals["BTC"] = "1"
    with a_maker(run_dir, venue, levels=2, hanging="0.01") as maker:
        maker.cycle()
        shown = [(each["side"], each["level"], each["is_hanging"]) for each in figures(maker)["quotes"]]
        asks = [order for order in venue.orders.values() if order.side == Side.SELL]
        venue.fill(min(asks, key=lambda each: each.price).order_id)
        maker.cycle()
        after = [(each["side"], each["is_hanging"]) for each in figures(maker)["quotes"]]
        maker.stop()
    assert sorted(shown) == [(side, level, False) for side in ("BUY", "SELL") for level in (1, 2)]
    assert after.count(("BUY", True)) == 2
    assert ("SELL", True) not in after


def test_refusal_failure_foreign_end_and_the_stop_are_told(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path
) -> None:
    """Each way not to quote has its code; a venue that fails again and again for one reason is one line."""
    venue.fates["place"] = [REFUSED]
    quoting.cycle()
    assert ("refused", "BUY", "REFUSED") in _told(run_dir)
    assert _told(run_dir)[-1] == ("idle", "BUY", "REFUSED")
    assert [each["numbers"] for each in last_decisions(run_dir, 9) if each["action"] == "refused"] == [{"code": -2010}]
    assert (figures(quoting)["bid_rule"], figures(quoting)["ask_rule"]) == ("REFUSED", "WANTED")
    venue.end(next(iter(venue.orders)), "CANCELED")
    quoting.cycle()
    assert ("ended", "SELL", "AT_VENUE") in _told(run_dir)
    venue.fates["open_orders"] = [AWAY] * 3
    for _ in range(3):
        quoting.cycle()
    assert _told(run_dir).count(("wait", None, "FAILED")) == 1
    quoting.cycle()
    quoting.stop()
    assert {each for each in _told(run_dir) if each[2] == "STOPPING"} >= {
        ("cancel", "SELL", "STOPPING"),
        ("idle", "BUY", "STOPPING"),
        ("idle", "SELL", "STOPPING"),
    }


@pytest.mark.parametrize("seed", range(20))
def test_every_order_at_the_venue_has_its_line_and_every_idle_side_its_code(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path, told: Told, seed: int
) -> None:
    """Whatever the market and the venue do: what was placed and cancelled is what the journal says."""
    rng = random.Random(seed)
    placed: dict[str, VenueOrder] = {}
    for _ in range(30):
        venue.mid_ticks = rng.choice([None, 9_138_500, 9_138_500 + rng.randint(-9_000, 9_000)])
        venue.fates["place"] = [rng.choice([None, None, REFUSED, LOST]) for _ in range(2)]
        venue.does_arrive = rng.random() < 0.5
        quoting.cycle()
        placed |= {each.client_order_id: each for each in venue.orders.values()}
        shown = figures(quoting)
        for side in ("bid", "ask"):
            assert shown[f"{side}_rule"], "no code"
            assert (shown[side] is not None) or shown[f"{side}_rule"] not in {"WANTED", "TOLERANCE", "ADOPTED"}
        if placed and rng.random() < 0.3 and venue.orders:
            venue.fill(rng.choice(list(venue.orders)))
    decisions = last_decisions(run_dir, ALL)
    assert all(each["rule"] and each["why"] for each in decisions)
    of_places = {each["client_order_id"]: each for each in decisions if each["action"] == "place"}
    for name, order in placed.items():
        assert (of_places[name]["price"], of_places[name]["side"]) == (order.price, order.side.name)
    cancels = [each["client_order_id"] for each in decisions if each["action"] == "cancel"]
    assert {line["order_id"] for line in lines(told, "cancelled") if line["rule"] != "AT_VENUE"} <= {
        placed[name].order_id for name in cancels if name in placed
    }
    assert all(line["rule"] for event in ("quoted", "cancelled", "not quoting") for line in lines(told, event))


def test_quote_that_is_filled_as_it_comes_is_pending_in_the_journal_and_no_warning(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a busy market that is so many times a minute, for a quarter of a second each."""
    place = venue.place

    def place_and_fill(instrument: Instrument, side: Side, *terms: Any, **kind: Any) -> VenueOrder:
        order = place(instrument, side, *terms, **kind)
        filled = replace(order, filled_qty=order.qty)
        return venue.end(order.order_id, "FILLED", filled) if side == Side.BUY else order

    monkeypatch.setattr(venue, "place", place_and_fill)
    quoting.cycle()
    assert ("idle", "BUY", "PENDING") in _told(run_dir)
    assert lines(told, "not quoting") == []


def test_disk_that_is_full_does_not_stop_the_maker_and_is_told_once(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on quoting; `status` counts what is missing, and once there is room again the journal goes on."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(DecisionsFile, "_append", fail)
        quoting.cycle()
        venue.mid_ticks = 9_138_500 + 9_000
        quoting.cycle()
    assert list(venue.prices()) == [Side.BUY, Side.SELL]
    assert len(lines(told, "decisions are not kept: the maker goes on without")) == 1
    assert figures(quoting)["lost_decisions"] >= 6
    venue.mid_ticks = None
    quoting.cycle()
    assert ("idle", "BUY", "NO_MID") in _told(run_dir)


def test_a_decision_is_of_the_moment_before_anything_of_it_leaves(
    run_dir: Path, venue: ScriptedVenue, now: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note of our orders and the line to the venue take their time: what the venue did cannot come before."""
    left: list[str] = []
    with a_maker(run_dir, venue) as quoting:
        act = quoting.maker._line.act

        def act_late(actions: Sequence[Action]) -> None:
            left.append(iso_time(time_ns() // NS_PER_MS))
            time.sleep(0.02)
            act(actions)

        monkeypatch.setattr(quoting.maker._line, "act", act_late)
        quoting.cycle()
        venue.mid_ticks = 9_338_500
        quoting.cycle()
    decided = [each["time"] for each in last_decisions(run_dir, ALL) if each["action"] in ("place", "cancel")]
    assert len(decided) == 6
    assert all(any(time <= one for one in left) for time in decided)
    assert max(decided) <= max(left)
