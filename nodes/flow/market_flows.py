"""The order flows that the settings name."""

from collections.abc import Iterator
from itertools import count

from bus.topology import Source, first_owner
from desk.run_dir import NodeError
from desk.settings import Settings
from flow.order_flow import OrderFlow
from flow.recordings.playlist import Part, check_part, symbol_of
from flow.recordings.recording import RecordingError
from market.instrument import Instrument


def make_flows(settings: Settings, owner: int, order_ids: Iterator[int]) -> dict[int, OrderFlow]:
    """Return the flows that the settings name, by symbol id, their order ids taken from `order_ids`.

    Raises:
        NodeError: if there is none, or one cannot begin.
    """
    source = settings.flow.source
    if source == "replay":
        return _replays(settings, owner, order_ids)
    if source == "none":
        raise NodeError("there is no flow to run: flow.source is none")
    make = _live if source == "live" else _synthetic
    return {
        instrument.symbol_id: make(settings, instrument, owner, order_ids)
        for instrument, row in zip(settings.instruments, settings.symbols, strict=True)
        if row.has_flow or row.symbol == settings.symbol
    }


def check_flows(settings: Settings) -> None:
    """Check that the flows of the settings can begin, before anything starts.

    Raises:
        NodeError: if one cannot; the text is that of the flow's node.
    """
    if settings.flow.source != "none":
        make_flows(settings, first_owner(Source.FLOW), count(1))


def _seed(settings: Settings, instrument: Instrument) -> int:
    """Return the seed of a symbol's market: the desk's symbol has `flow.seed`, each other one another."""
    return settings.flow.seed + (0 if instrument.symbol == settings.symbol else 1 + instrument.symbol_id)


def _live(settings: Settings, instrument: Instrument, owner: int, order_ids: Iterator[int]) -> OrderFlow:
    from flow.live import LiveFlow, LiveSettings

    flow = settings.flow
    followed = LiveSettings(flow.url, flow.queue_model, _seed(settings, instrument))
    return LiveFlow(instrument, followed, owner, order_ids)


def _synthetic(settings: Settings, instrument: Instrument, owner: int, order_ids: Iterator[int]) -> OrderFlow:
    from flow.market_settings import settings_of
    from flow.synthetic import SyntheticFlow

    flow, symbol = settings.flow, instrument.symbol
    is_desks = symbol == settings.symbol
    mid = (flow.start_mid if is_desks else None) or settings.symbols[instrument.symbol_id].opening_mid
    if mid is None:
        raise NodeError(
            f"a synthetic market of {symbol} has to begin somewhere: expected opening_mid in the row of {symbol} "
            f"in [[symbols]]{', or flow.start_mid' if is_desks else ''}"
        )
    chosen = {} if flow.toxicity is None else {"toxicity": flow.toxicity}
    made_up = settings_of(
        flow.preset, symbol, seed=_seed(settings, instrument), mid=mid, opening_s=flow.opening_s, **chosen
    )
    try:
        return SyntheticFlow(instrument, made_up, owner, order_ids)
    except ValueError as error:
        raise NodeError(f"cannot make a market in {symbol}: {error}") from None


def replayed_parts(settings: Settings) -> dict[Instrument, list[Part]]:
    """Return what is replayed of each symbol, one after the other; every first book was found.

    Raises:
        NodeError: if something of it cannot be replayed.
    """
    known = {each.symbol: each for each in settings.instruments}
    parts: dict[Instrument, list[Part]] = {}
    try:
        for part in settings.flow.recordings:
            symbol = symbol_of(part)
            if symbol not in known:
                raise NodeError(f"cannot replay: the desk has no pair {symbol}; it has {', '.join(known)}")
            check_part(part, known[symbol])
            parts.setdefault(known[symbol], []).append(part)
    except (OSError, RecordingError) as error:
        raise NodeError(f"cannot replay: {error}") from None
    if settings.instrument not in parts:
        recorded = ", ".join(instrument.symbol for instrument in parts)
        raise NodeError(f"cannot replay: the desk trades {settings.symbol}, recorded is {recorded}")
    return parts


def _replays(settings: Settings, owner: int, order_ids: Iterator[int]) -> dict[int, OrderFlow]:
    """Return the replay of all recordings: those of a symbol one after the other, those of several side by side."""
    from flow.replay import ReplayFlow, ReplaySettings
    from flow.side_by_side import align

    flow = settings.flow
    replays: dict[int, ReplayFlow] = {}
    try:
        for instrument, parts in replayed_parts(settings).items():
            replayed = ReplaySettings(tuple(parts), flow.speed, flow.opening_s, flow.loop, flow.queue_model, flow.seed)
            replays[instrument.symbol_id] = ReplayFlow(instrument, replayed, owner, order_ids)
    except (OSError, RecordingError) as error:
        raise NodeError(f"cannot replay: {error}") from None
    align(list(replays.values()))
    return dict(replays)
