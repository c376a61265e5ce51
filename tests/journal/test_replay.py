"""An engine is rebuilt from its journal: the same commands give the same events and the same state."""

import random
from pathlib import Path

import pytest

from engine.capacity import Capacity
from engine.matching_engine import MatchingEngine, make_engine
from journal.journal import Journal
from journal.reader import JournalReader
from journal.replay import replay
from market.codec import decode_commands, encode_all
from market.codes import Trigger
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, MassCancel, NewOrder, SetPriceRange
from market.events import Event
from market.kernels.rows import read_event, write_command
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of

CAPACITY = Capacity(2, 200, 8)
SEED = 3


class Engine:
    """An engine that takes journal records, and all events that it has told."""

    def __init__(self, book: str) -> None:
        self.events: list[Event] = []
        slots = (CAPACITY.command_slots, CAPACITY.event_slots)
        self._engine: MatchingEngine = make_engine(
            book, CAPACITY.symbol_count, CAPACITY.orders_max, CAPACITY.pages_max, *slots
        )

    def take(self, sequence: int, record: CommandRecord) -> None:
        """Match the commands of a record that are new."""
        del sequence
        ring = self._engine.commands
        for command in decode_commands(record.payload)[record.skip_count :]:
            write_command(ring.rows, ring.claim(), command)
            ring.publish()
        while len(ring):
            self._engine.match()
            while len(rows := self._engine.events.readable()):
                self.events += map(read_event, rows)
                self._engine.events.consume(len(rows))

    def state(self) -> tuple[int, int, int]:
        """Return what two engines in the same state agree on."""
        self._engine.check_invariants()
        return self._engine.state_hash(), self._engine.sequence, self._engine.live_order_count


def random_command(dice: random.Random, number: int) -> Command:
    """Return an order, or something that is done to one: often valid, sometimes not."""
    known, time_ns = max(number - dice.randrange(100), 1), 1_000 + number
    symbol = known % 2
    kind = dice.random()
    if kind < 0.70:
        trigger = dice.choice([Trigger.NONE] * 8 + [Trigger.STOP, Trigger.TAKE_PROFIT, Trigger.TRAIL])
        price, qty = dice.randint(990, 1_010), dice.randint(0, 50)
        codes = (dice.randrange(3), dice.randrange(3), dice.randrange(5), dice.choice([0, 0, 3]))
        trigger_price = dice.randint(990, 1_010) if trigger else 0
        bps = dice.choice([1, 20, 100]) if trigger == Trigger.TRAIL or (trigger and dice.random() < 0.5) else 0
        owned = (1, time_ns, bps)
        return NewOrder(number, number % 2, dice.randrange(2), price, qty, *codes, trigger, trigger_price, *owned)
    if kind < 0.85:
        return CancelOrder(known, symbol, 1, time_ns)
    if kind < 0.97:
        return AmendOrder(known, symbol, dice.randint(990, 1_010), dice.randint(1, 50), 1, time_ns)
    if kind < 0.98:
        return HaltSymbol(symbol, dice.choice([0, 0, 0, 1]), time_ns)
    if kind < 0.99:
        return SetPriceRange(symbol, dice.choice([0, 995]), dice.choice([0, 1_005]), time_ns)
    return MassCancel(symbol, -1, 1, time_ns)


def random_records(dice: random.Random, first_number: int) -> list[CommandRecord]:
    """Return what comes in one batch: a few frames, the front of some of which was had before."""
    records = []
    for _ in range(dice.randint(1, 4)):
        count = dice.randint(1, 30)
        commands = [random_command(dice, first_number + index) for index in range(count)]
        skip = dice.choice([0, 0, dice.randrange(count)])
        records.append(CommandRecord(first_number, first_number, 1, count, skip, encode_all(commands)))
        first_number += count
    return records


@pytest.mark.parametrize("book", ["reference", "fast"])
def test_rebuilds_the_engine(tmp_path: Path, book: str) -> None:
    """Over three lives, the last of them recovered by both books: same events, same state."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    number, former = 1, Engine(book)
    for life in range(3):
        engine = Engine(book)
        with Journal(tmp_path, COMMANDS, figures_of(CAPACITY), life + 1) as journal:
            journal.recover(engine.take)
            assert (engine.events, engine.state()) == (former.events, former.state())
            for _ in range(40):
                batch = random_records(dice, number)
                number = batch[-1].first_sequence + batch[-1].message_count
                sequence = journal.append(batch, 0)
                for record in batch:
                    engine.take(sequence, record)
        former = engine
    assert len({type(event) for event in former.events}) == 9, "the commands must cause events of every kind"
    for other in ("reference", "fast"):
        rebuilt = Engine(other)
        done = replay(JournalReader(tmp_path, COMMANDS, figures_of(CAPACITY)), rebuilt.take)
        assert done.message_count > 2_000
        assert (rebuilt.events, rebuilt.state()) == (former.events, former.state())
