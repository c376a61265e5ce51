"""Flows of an account that trades: what came without a trade is booked, and no trade ever is."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from nodes.tracker.bookkeeper import Bookkeeper
from reports.folder import ReportsFolder
from reports.reconciliation import difference_of
from tests.nodes.tracker.accounts import START, SetClock, agrees
from tests.reports.fills import BTC, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue

SIGHT_MS: Final = 5_000
SETTLED_MS: Final = 60_000


class LateVenue(ScriptedVenue):
    """One that tells some trades later than the balances hold them; `untold` are their numbers."""

    def __init__(self) -> None:
        super().__init__(START)
        self.untold: set[int] = set()

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Return what it tells by now."""
        return [one for one in super().trades(instrument, limit, from_id, since_ms) if one.trade_id not in self.untold]


class Desk:
    """A tracker that looks at an account."""

    def __init__(self, folder: Path) -> None:
        self.venue, self.clock = LateVenue(), SetClock()
        self.folder = ReportsFolder(folder)
        self.paid_in: dict[str, list[Decimal]] = {}  # by asset: the sums after each payment
        self.restart()
        self.look()

    def restart(self) -> None:
        """Begin with what the file holds."""
        self.books = Bookkeeper(self.venue, BTC, self.folder, self.clock)

    def look(self) -> JsonObject:
        """Look at the account after a while."""
        self.clock.ms += SIGHT_MS
        return self.books.update().document

    def trade(self, *, is_untold: bool = False) -> None:
        """Trade another quantity than ever: no trades that are not told come to no coin."""
        number = len(self.venue.trades_of_all) + 1
        side = Side.BUY if number % 3 else Side.SELL
        qty, at_ms = str(Decimal(2) ** number / 100_000), self.clock.ms + 1
        self.venue.trades_of_all.append(fill(number, side, qty, "100", "0.013", time_ms=at_ms, order_id=f"o{number}"))
        if is_untold:
            self.venue.untold.add(number)

    def pay(self, asset: str, amount: str) -> None:
        """Pay in, or out."""
        self.venue.start[asset] += Decimal(amount)
        sums = self.paid_in.setdefault(asset, [Decimal(0)])
        sums.append(sums[-1] + Decimal(amount))

    def flows(self, document: JsonObject) -> dict[str, Decimal]:
        """Return what was booked, by asset; each flow is one payment, or several in a row."""
        found: dict[str, Decimal] = {}
        for flow in document["flows"]:
            before = found.get(flow["asset"], Decimal(0))
            found[flow["asset"]] = before + flow["amount"]
            assert {before, found[flow["asset"]]} <= set(self.paid_in[flow["asset"]]), "a trade is no flow"
        return {asset: amount for asset, amount in found.items() if amount}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return one that has looked once."""
    return Desk(tmp_path / "reports")


def test_deposit_among_trades_is_booked_when_others_leave_it_as_it_was(desk: Desk) -> None:
    """Guards `accounts fund` on a desk that trades: it made the books disagree for all of the day."""
    desk.trade()
    desk.pay("USDT", "300")
    assert not agrees(desk.look())
    assert desk.flows(desk.look()) == {}, "one that came with trades may be a trade that was told wrong"
    desk.trade()
    document = desk.look()
    assert desk.flows(document) == {"USDT": 300}
    assert agrees(document)
    assert document["identity"]["all"]["gap"] == 0


@pytest.mark.parametrize("is_restarted", [False, True])
def test_deposit_with_the_last_trades_is_booked_after_a_minute(desk: Desk, *, is_restarted: bool) -> None:
    """Guards a maker that was stopped then, and a tracker that begins with a difference of before."""
    desk.trade()
    desk.pay("USDT", "300")
    desk.look()
    desk.pay("USDT", "40")
    desk.look()
    if is_restarted:
        desk.restart()
    documents = [desk.look() for _ in range(SETTLED_MS // SIGHT_MS)]
    assert [desk.flows(each) for each in documents] == [{}] * 11 + [{"USDT": 340}]
    assert agrees(documents[-1])


def test_deposit_is_booked_at_its_second_sight_with_a_fill_in_every_reading(desk: Desk) -> None:
    """Guards a busy desk: a fill between the readings of a sight makes it look again, and it is sure then."""
    looks = []

    def meanwhile() -> None:
        looks.append(desk.clock.ms)
        if looks.count(desk.clock.ms) == 1:
            desk.trade()

    desk.venue.on_account = meanwhile
    desk.look()
    desk.pay("USDT", "300")
    assert [desk.flows(desk.look()) for _ in range(2)] == [{}, {"USDT": 300}]


def test_no_flow_is_booked_while_a_trade_could_be_part_of_it(desk: Desk) -> None:
    """Guards a trade that is told late: together with a withdrawal it looks like two of them."""
    desk.trade()
    desk.trade()
    desk.look()
    desk.trade(is_untold=True)  # a sale
    desk.pay("USDT", "-500")
    assert [desk.flows(desk.look()) for _ in range(6)] == [{}] * 6
    desk.venue.untold.clear()
    documents = [desk.look() for _ in range(14)]
    assert desk.flows(documents[-1]) == {"USDT": -500}
    assert agrees(documents[-1])


@settings(deadline=None)
@given(st.data())
def test_flows_are_what_was_paid_whatever_happens_in_between(data: st.DataObject) -> None:
    """Guards the books over any sequence of trades, late ones too, deposits, withdrawals, sights and restarts."""
    with TemporaryDirectory() as folder:
        desk, told_by_ms = Desk(Path(folder) / "reports"), NOON_MS + SETTLED_MS
        for step in data.draw(st.lists(st.sampled_from(_STEPS), max_size=30)):
            if step == "late":
                desk.trade(is_untold=True)
                told_by_ms = desk.clock.ms + SETTLED_MS - 3 * SIGHT_MS if len(desk.venue.untold) == 1 else told_by_ms
            elif step == "look":
                if desk.clock.ms + SIGHT_MS >= told_by_ms:
                    desk.venue.untold.clear()
                desk.look()
            elif step in ("trade", "restart"):
                getattr(desk, step)()
            elif step == "tell":
                desk.venue.untold.clear()
            else:
                asset, sign = step.split()
                cents = data.draw(st.integers(1, 100_000))
                desk.pay(asset, f"{sign}{Decimal(cents) / 100 + Decimal('0.000037')}")
        desk.venue.untold.clear()
        for _ in range(2 + SETTLED_MS // SIGHT_MS):
            document = desk.look()
        paid = {asset: sums[-1] for asset, sums in desk.paid_in.items() if sums[-1]}
        booked, left = desk.flows(document), difference_of(document["reconciliation"])
        if left:  # what came and what left between two sights is never told from a trade
            assert len({amount > 0 for amount in left.values()}) == 2
        sums = {asset: booked.get(asset, 0) + left.get(asset, 0) for asset in (*booked, *left)}
        assert {asset: amount for asset, amount in sums.items() if amount} == paid


_STEPS: Final = ["look", "look", "trade", "trade", "late", "tell", "restart", "USDT +", "USDT -", "BNB +"]
