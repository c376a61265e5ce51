"""What a desk that runs is heard to say: its book as a ladder, its feed line by line."""

import sys
from collections.abc import Callable, Iterator, Sequence

from bus.channel import wait_any
from bus.feed import HEALTH_TOPIC, FeedError, FeedFrame, Topic, unpack_frame
from bus.subscriber import FeedSubscriber
from bus.topology import FEED
from commands.watching import Look, print_once, watch
from desk.client import DeskError, require_node
from desk.settings import Settings
from desk.wiring import desk_wiring
from market.clock import NS_PER_SECOND, monotonic_ns
from market.exact_json import dumps, loads
from market.http_names import connectable, in_url
from market.instrument import Instrument
from screens.feed import feed_line

BOOK_DEPTH = 1_000  # levels in which our own orders are looked for
FOLLOW_S = 0.2
SILENT_NS = 3 * NS_PER_SECOND  # then whoever waits is told for what


def show_book(settings_now: Callable[[], Settings], level_count: int, *, is_once: bool, as_json: bool) -> None:
    """Show the api's book as a ladder, live or once, or print its JSON.

    Raises:
        DeskError: if the api is out of reach.
    """
    from screens.book import ladder

    settings = settings_now()

    def look() -> Look:
        nonlocal settings
        try:
            text = _orderbook(settings, BOOK_DEPTH)
            document = loads(text)
        except DeskError:
            settings = settings_now()  # of a desk that was started anew: its api may be elsewhere
            raise
        return Look(text, lambda width, height: ladder(document, level_count, width, height))

    require_node(settings.run_dir, "api")
    if as_json:
        print(_orderbook(settings, level_count))
    elif is_once:
        print_once(look().drawn)
    else:
        watch(look, FOLLOW_S)


def _orderbook(settings: Settings, level_count: int) -> str:
    import http.client

    where = f"{in_url(settings.api.host)}:{settings.api.port}"
    connection = http.client.HTTPConnection(connectable(settings.api.host), settings.api.port, timeout=3)
    try:
        connection.request("GET", f"/api/orderbook?symbol={settings.symbol}&depth={level_count}")
        response = connection.getresponse()
        text = response.read().decode()
    except (OSError, http.client.HTTPException) as error:  # it may end in the middle of an answer, too
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DeskError(f"the api is out of reach at {where} ({why})") from None
    except ValueError:
        raise DeskError(f"what answers at {where} is no api of a desk") from None
    finally:
        connection.close()
    if response.status != 200:
        raise DeskError(f"the api answers {response.status}: {text[:200]}")
    return text


def print_feed(
    settings: Settings, topics: Sequence[str], count: int, *, is_raw: bool = False, as_json: bool = False
) -> None:
    """Print the messages of `topics` (of the symbol's three if empty) as they come, `count` of them (0: without end).

    If `is_raw`, they are printed as they are, in ticks, lots and codes; `as_json` likewise, a document a line.

    Raises:
        DeskError: if no desk runs here, or a topic is none of the feed's.
    """
    instruments: dict[bytes, Instrument | None] = {
        topic.of(each.symbol): each for each in settings.instruments for topic in Topic
    }
    instruments[HEALTH_TOPIC] = None
    names = [topic.decode() for topic in instruments]
    if unknown := [topic for topic in topics if topic not in names]:
        raise DeskError(f"there is no topic {', '.join(unknown)}; the topics are {', '.join(names)}")
    if settings.bus.transports[FEED.name] != "tcp":
        require_node(settings.run_dir, settings.plan.engine_of[settings.symbol])
    wanted = [topic.encode() for topic in topics] or [
        topic.of(settings.symbol) for topic in (Topic.BOOK, Topic.TRADES, Topic.BEST)
    ]
    printed = 0
    for frame in _frames(FeedSubscriber(desk_wiring(settings), wanted), wanted):
        for number, message in enumerate(frame.messages):
            topic, sequence = frame.topic.decode(), frame.sequence + number
            if as_json:
                at = {"topic": topic, "sequence": sequence, "time_ns": frame.time_ns, "kind": type(message).__name__}
                line = dumps(at | {"message": message._asdict()})
            elif is_raw:
                line = f"{topic} {sequence} {message}"
            else:
                line = feed_line(topic, sequence, frame.time_ns, message, instruments[frame.topic])
            print(line, flush=True)
            printed += 1
            if printed == count:
                return


def _frames(subscriber: FeedSubscriber, wanted: Sequence[bytes]) -> Iterator[FeedFrame]:
    """Yield what comes; say on standard error, once for each silence, what is waited for."""
    feeds, named = subscriber.sockets[::2], " ".join(topic.decode() for topic in wanted)
    since_ns, is_heard, is_told = monotonic_ns(), False, False
    while True:
        wait_any(feeds, 1_000)
        frames = next(filter(None, (feed.receive() for feed in feeds)), None)
        if frames is not None and frames[0] in wanted:  # else of a longer symbol that begins with one of ours
            try:
                frame = unpack_frame(frames)
            except FeedError as error:
                raise DeskError(f"the feed sent something else: {error}") from None
            is_heard = True
            if frame.messages:
                since_ns, is_heard, is_told = monotonic_ns(), False, False
                yield frame
        if not is_told and monotonic_ns() - since_ns > SILENT_NS:
            is_told = True
            why = "the feed is alive, nothing has happened there" if is_heard else "no engine is heard of: is it up?"
            print(f"waiting for {named}: {why}", file=sys.stderr, flush=True)
