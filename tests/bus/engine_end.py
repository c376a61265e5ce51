"""The engine's end of order links, for tests that report events rather than their bytes."""

from collections.abc import Sequence

from bus.engine_link import EngineEnd
from market.codec import encode_all
from market.events import Event
from market.limits import BATCH_MESSAGES_MAX


class PlainEngineEnd(EngineEnd):
    """Takes events, and encodes them as the engine does."""

    def report(self, source: int, events: Sequence[Event], handled: int = 0, last_order_id: int = 0) -> None:
        batches = [events[start : start + BATCH_MESSAGES_MAX] for start in range(0, len(events), BATCH_MESSAGES_MAX)]
        self.report_encoded(source, [(encode_all(batch), len(batch)) for batch in batches], handled, last_order_id)
