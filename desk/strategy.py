"""The strategy that the settings name, and the terms it trades on: on a desk, real or simulated, and in a backtest."""

from dataclasses import asdict, fields
from decimal import Decimal
from typing import Final

from desk.settings import Settings, typed_text
from desk.strategy_file import FileStrategy, StrategyError, load_strategy
from desk.time_limit import at_most
from market.account import Balance
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.depth import Depth, Level
from market.exact_json import JsonObject
from trading.escalation import Triggers
from trading.keeping import Requoting
from trading.limits import Limits
from trading.model_strategy import ModelStrategy
from trading.models import model_named
from trading.models.parameters import Parameters
from trading.order_rules import OrderRules
from trading.quoting import QuotingModel
from trading.refills import Refilling
from trading.sending_rate import SendingLimits
from trading.strategy import Inbox, Strategy
from trading.terms import Terms
from venues.venue import ARRIVAL_MS_MAX

EXPOSURE_INVENTORIES: Final = 5
ORDER_NOTIONALS: Final = 10
LOSS_INVENTORIES: Final = Decimal("0.1")
LOAD_S_MAX: Final = 60.0

_LEVELS: Final = 20  # a side of a made-up market
_LEVEL_LOTS: Final = 1_000


def strategy_of(settings: Settings) -> Strategy:
    """Return a new strategy: that of a file, or the model.

    Raises:
        StrategyError: if the file cannot be used.
    """
    maker = settings.maker
    if maker.strategy is not None:
        return load_strategy(maker.strategy, maker.parameters)
    if maker.parameters:
        raise StrategyError(f"maker.parameters.{next(iter(maker.parameters))}: there is no maker.strategy to have it")
    return model_of(settings)


def check_strategy(settings: Settings, now_ns: int) -> None:
    """Make sure that the strategy can be used: one of a file is asked once, in a made-up market.

    That market is around the mid at which a synthetic one begins, with 20 levels a side, no position, and some of both
    assets. Where there is no such mid the strategy is not asked.

    Args:
        now_ns: ns since 1970 UTC.

    Raises:
        StrategyError: if it cannot be used, raises, wants what cannot be, or does not return: its import or its
            `__init__` within a minute, its step within `maker.silence_s`. Only the main thread can ask.
    """
    instrument = settings.instrument
    with at_most(LOAD_S_MAX, "a start waits for it"):
        strategy = strategy_of(settings)
    mid = settings.flow.start_mid or settings.symbols[instrument.symbol_id].opening_mid
    if settings.maker.strategy is None or mid is None:
        return
    best_ticks = max(_LEVELS, int(mid / instrument.tick_size))
    depth = Depth(
        tuple(Level(best_ticks - place, _LEVEL_LOTS) for place in range(_LEVELS)),
        tuple(Level(best_ticks + 1 + place, _LEVEL_LOTS) for place in range(_LEVELS)),
    )
    rules = OrderRules(notional_min=instrument.min_notional)
    has = {asset: Balance(Decimal(10_000), Decimal(0)) for asset in (instrument.base, instrument.quote)}
    try:
        with at_most(settings.maker.silence_s, "maker.silence_s lets a step take"):
            strategy.step(now_ns, Inbox(instrument, rules, depth, position=Decimal(0), balances=has))
    except StrategyError as error:
        raise StrategyError(f"{error} (asked in a made-up market, before anything runs)") from error


def model_of(settings: Settings) -> Strategy:
    """Return the built-in model as a strategy."""
    maker = settings.maker
    return ModelStrategy(quoting_model(settings), maker.half_life_s, _ns(maker.reference_s))


def quoting_model(settings: Settings) -> QuotingModel:
    """Return the model of the settings."""
    return model_named(settings.maker.model, parameters_of(settings))


def parameters_of(settings: Settings) -> Parameters:
    """Return the parameters of a model, with the fee as it is in force."""
    values = {each.name: getattr(settings.maker, each.name) for each in fields(Parameters)}
    return Parameters(**{**values, "fee": settings.maker_fee})


def strategy_json(settings: Settings, strategy: Strategy) -> JsonObject:
    """Return which strategy of the settings decides, and all its parameters as they are in force, as texts."""
    maker = settings.maker
    if isinstance(strategy, FileStrategy):
        told = {"file": str(strategy.path), "sha256": strategy.sha256}
        return {**told, "parameters": {name: typed_text(value) for name, value in strategy.parameters.items()}}
    in_force = {**asdict(parameters_of(settings)), "half_life_s": maker.half_life_s, "reference_s": maker.reference_s}
    return {"model": maker.model, "parameters": {name: typed_text(value) for name, value in in_force.items()}}


def terms_of(settings: Settings, prefix: str, list_ns: int) -> Terms:
    """Return the terms of a trader with orders of that prefix; `list_ns` as Terms has it."""
    maker = settings.maker
    return Terms(
        Requoting(
            maker.requote_tolerance,
            maker.replace_below,
            maker.queue_gain,
            maker.life_min_ms * NS_PER_MS,
            _ns(maker.age_max_s),
        ),
        prefix,
        maker.interval_ms * NS_PER_MS,
        list_ns,
        ARRIVAL_MS_MAX * NS_PER_MS,
        maker.neutral,
        limits_of(settings),
        Refilling(_ns(maker.refill_pause_s), maker.run_over_orders, _ns(maker.run_over_s)),
        maker.hanging,
        triggers_of(settings),
        maker.cancel_replace,
        maker.amend,
        fee=settings.fee_max,
    )


def limits_of(settings: Settings) -> Limits:
    """Return the limits of a trader; what is not set is a multiple of what is quoted."""
    maker, limits = settings.maker, settings.maker.limits
    return Limits(
        limits.position,
        limits.exposure or EXPOSURE_INVENTORIES * maker.inventory,
        limits.order or ORDER_NOTIONALS * maker.notional,
        limits.band,
        limits.open_orders,
        SendingLimits(limits.orders_in_10_s, limits.orders_in_a_day),
    )


def triggers_of(settings: Settings) -> Triggers:
    """Return what leads a trader to each stage of its withdrawal."""
    maker, limits, stages = settings.maker, settings.maker.limits, settings.maker.stages
    loss = LOSS_INVENTORIES * maker.inventory
    return Triggers(limits.daily_loss or loss, limits.drawdown or loss, **dict(stages))


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_SECOND)
