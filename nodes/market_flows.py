"""The order flow that the settings name."""

from collections.abc import Iterator

from flow.order_flow import OrderFlow
from nodes.node import NodeError
from nodes.settings import Settings


def make_flow(settings: Settings, owner: int, order_ids: Iterator[int]) -> OrderFlow:
    """Return the flow that the settings name, its order ids taken from `order_ids`.

    Raises:
        NodeError: if there is none, or it cannot begin.
    """
    source = settings.flow.source
    if source.startswith("synthetic"):
        return _synthetic(settings, owner, order_ids)
    if source.startswith("replay:"):
        return _replay(settings, owner, order_ids)
    if source.startswith("live"):
        return _live(settings, owner, order_ids)
    raise NodeError(f"there is no flow to run: flow.source is {source}")


def _live(settings: Settings, owner: int, order_ids: Iterator[int]) -> OrderFlow:
    from flow.live import LiveFlow, LiveSettings
    from flow.live_url import streams_url

    flow = settings.flow
    followed = LiveSettings(streams_url(flow.source), flow.queue_model, flow.seed)
    return LiveFlow(settings.instrument, followed, owner, order_ids)


def _synthetic(settings: Settings, owner: int, order_ids: Iterator[int]) -> OrderFlow:
    from flow.market_settings import settings_of
    from flow.synthetic import SyntheticFlow

    chosen = {} if settings.flow.toxicity is None else {"toxicity": settings.flow.toxicity}
    made_up = settings_of(
        settings.flow.market_preset,
        settings.symbol,
        seed=settings.flow.seed,
        mid=settings.flow.start_mid,
        opening_s=settings.flow.opening_s,
        **chosen,
    )
    try:
        return SyntheticFlow(settings.instrument, made_up, owner, order_ids)
    except ValueError as error:
        raise NodeError(f"cannot make a market: {error}") from None


def _replay(settings: Settings, owner: int, order_ids: Iterator[int]) -> OrderFlow:
    """Return the replay of all recordings: those of a symbol one after the other, those of several side by side."""
    from flow.playlist import Part, parse_playlist, symbol_of
    from flow.recording import RecordingError
    from flow.replay import ReplayFlow, ReplaySettings
    from flow.side_by_side import SideBySide, align

    flow, known = settings.flow, {each.symbol: each for each in settings.instruments_of(settings.market_engine)}
    parts: dict[str, list[Part]] = {}
    try:
        for part in parse_playlist(flow.source.removeprefix("replay:")):
            symbol = symbol_of(part)
            if symbol not in known:
                raise NodeError(f"cannot replay: the desk has no pair {symbol}; it has {', '.join(known)}")
            parts.setdefault(symbol, []).append(part)
        if settings.symbol not in parts:
            raise NodeError(f"cannot replay: the desk trades {settings.symbol}, recorded is {', '.join(parts)}")
        replays = {}
        for symbol, of_symbol in parts.items():
            replayed = ReplaySettings(
                tuple(of_symbol), flow.speed, flow.opening_s, flow.loop, flow.queue_model, flow.seed
            )
            instrument = known[symbol]
            replays[instrument.symbol_id] = ReplayFlow(instrument, replayed, owner, order_ids)
    except (OSError, RecordingError) as error:
        raise NodeError(f"cannot replay: {error}") from None
    align(list(replays.values()))
    return SideBySide(replays) if len(replays) > 1 else next(iter(replays.values()))
