"""A subscriber in a process of its own, with short queues: `python -m tests.bus.slow_subscriber RUN_DIR`.

It prints a line whenever it is in step again, and ends with exit code 3 when it finds itself behind for good.
"""

import sys
from dataclasses import replace
from pathlib import Path

import bus.subscriber
from bus.channel import close_all
from bus.feed import Topic
from bus.subscriber import FeedSubscriber, SubscriberBehindError
from bus.topology import FEED
from market.clock import monotonic_ns
from tests.one_engine import one_engine

SHORT_FEED = replace(FEED, high_water_mark=50)
BEHIND = 3


def main(run_dir: Path) -> int:
    """Follow the book until we are behind."""
    bus.subscriber.FEED = SHORT_FEED  # type: ignore[attr-defined]
    subscriber = FeedSubscriber(one_engine(run_dir), [Topic.BOOK.of("BTCUSDT")])
    was_in_step = False
    try:
        while True:
            subscriber.sockets[0].wait(5)
            subscriber.receive(monotonic_ns())
            subscriber.tick(monotonic_ns())
            is_in_step = all(replica.is_synchronised for replica in subscriber.replicas.values())
            if is_in_step and not was_in_step:
                print("in step", flush=True)
            was_in_step = is_in_step
    except SubscriberBehindError as error:
        print(error, flush=True)
        return BEHIND
    finally:
        close_all()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
