"""The command `backtest`: a desk on recorded markets, its days for a person, and what it leaves in a folder."""

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from commands.actions.out_folder import new_folder
from commands.actions.record import inspected, recorded_symbol
from commands.actions.simulate import READ_BY_DESKS, days_texts, failures_told, problems_of, run_to, settings_with
from desk.client import DeskError, UsageError
from desk.settings import Settings, setting_texts
from desk.strategy import strategy_json, strategy_of
from desk.symbols import SymbolRow
from market.account import trade_json
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time, monotonic_ns
from market.exact_json import JsonObject, dumps
from market.whole_file import write_whole
from market.words import counted
from reports.folder import ReportsFolder
from reports.performance import history_of, is_sound
from simulation.backtest import Stretch, plan
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.recorded_market import RecordedMarket, warm
from trading.models import MODELS

RUN_FILE: Final = "backtest.json"
FILLS_FILE: Final = "fills.jsonl"
_READ: Final = (*READ_BY_DESKS, "flow.queue_model", "flow.seed")


def backtest_settings(
    recordings: Sequence[Path],
    strategy: str | None,
    fees: str | None,
    overrides: Mapping[str, Any],
    sets: Sequence[str],
) -> Settings:
    """Return the settings of a backtest's desk; it trades the first recording's symbol if `overrides` name none.

    Args:
        strategy: a quoting model by its name, or a file.
        fees: `MAKER,TAKER`, of every symbol.

    Raises:
        DeskError, SettingsError: if they cannot be.
    """
    is_model = strategy in MODELS
    if strategy is not None and not (is_model or Path(strategy).suffix or Path(strategy).is_file()):
        raise UsageError(f"--strategy: expected a file, or one of the models {', '.join(MODELS)}, was {strategy!r}")
    if overrides.get("symbol") is None:
        overrides = {**overrides, "symbol": recorded_symbol(recordings[0])}
    settings = settings_with({**overrides, "maker.model" if is_model else "maker.strategy": strategy}, sets, _READ)
    if is_model:  # not the file that the settings may name
        maker = settings.maker.model_copy(update={"strategy": None, "parameters": {}})
        settings = settings.model_copy(update={"maker": maker})
    return settings if fees is None else _with_fees(settings, fees)


def _with_fees(settings: Settings, text: str) -> Settings:
    try:
        maker, taker = (Decimal(each.strip()) for each in text.split(","))
        rows = tuple(SymbolRow(**{**dict(row), "maker_fee": maker, "taker_fee": taker}) for row in settings.symbols)
    except (ValueError, InvalidOperation):
        raise UsageError(f"expected --fees MAKER,TAKER as 0.001,0.001, each from 0 to 0.1, was {text[:40]!r}") from None
    return settings.model_copy(update={"symbols": rows})


def print_backtest(
    settings: Settings, paths: Sequence[Path], delays: Delays, out: Path | None, *, as_json: bool
) -> int:
    """Trade on recordings, print every day, and return the exit code: 1 if the books of one do not agree.

    Raises:
        DeskError, NodeError, BacktestError: if a recording cannot be traded on, or the folder not be used.
    """
    with new_folder(out) as folder:
        found = [inspected(settings, path) for path in paths]
        stretches = plan(settings, [each for each, _ in found])
        warm(lambda line: print(line, file=sys.stderr))
        began_ns = monotonic_ns()
        runs = [_run(stretch, folder, delays) for stretch in stretches]
        took_s = (monotonic_ns() - began_ns) / NS_PER_SECOND
        reports = ReportsFolder(folder)
        texts = [] if as_json else days_texts(reports)
        documents = [document for day in reports.days() if (document := reports.read(day)) is not None]
        fills = [row.trade for document in documents for row in history_of(document)]
        result: JsonObject = {
            "recordings": [each.document(instrument) for each, instrument in found],
            "delays_ns": {
                "venue": delays.venue_ns,
                "venue_more": delays.venue_more_ns,
                "venue_lags": len(delays.venue_lags_ns),
                "order": delays.order_ns,
            },
            "fills": len(fills),
            "runs": runs,
        }
        if out is not None:
            _write(folder / RUN_FILE, f"{dumps(result, spread=4)}\n")
            _write(folder / FILLS_FILE, "".join(f"{dumps(trade_json(fill))}\n" for fill in fills))
    if as_json:
        print(dumps({"run": result, "days": documents}))
    else:
        traded_s = sum(stretch.end_ns - stretch.start_ns for stretch in stretches) / NS_PER_SECOND
        print("\n\n".join(texts))
        traded, rate = f"{counted(len(paths), 'recording')}, {traded_s:,.0f} s", traded_s / took_s
        print(f"\n🧪 {traded} in {took_s:.1f} s, {rate:,.0f} a second; {counted(len(fills), 'fill')}")
        print("\n".join(f"   SHA-256 {run['sha256']}" for run in runs))
        if out is not None:
            print(f"💾 {out}")
    notes = [f"{each.path}: {fault}" for each, _ in found for fault in each.faults]
    for note in [*notes, *(problem for run in runs for problem in run["problems"])]:
        print(f"note: {note}", file=sys.stderr)
    return 0 if all(map(is_sound, documents)) else 1


def _run(stretch: Stretch, folder: Path, delays: Delays) -> JsonObject:
    """Let a desk trade on a stretch; return what that was."""
    settings = stretch.settings
    strategy = strategy_of(settings)
    with failures_told():
        desk = SimulatedDesk(settings, stretch.start_ns, folder, delays, strategy)
        run_to(desk, stretch.end_ns)
        desk.close_books()
    return {
        "recordings": [str(each.path) for each in stretch.found],
        "from": iso_time(stretch.start_ns // NS_PER_MS),
        "to": iso_time(stretch.end_ns // NS_PER_MS),
        "settings": setting_texts(settings),
        "strategy": strategy_json(settings, strategy),
        "sha256": desk.digest.hexdigest(),
        "trader": desk.told.counts,
        "rules": desk.told.rules,
        "market": _followed(desk, settings),
        "problems": problems_of(desk),
    }


def _followed(desk: SimulatedDesk, settings: Settings) -> JsonObject:
    """Return by symbol how well the engine's book was the recorded one, and what recorded trades did."""
    assert isinstance(desk.market, RecordedMarket), f"expected a recorded market, was {desk.market}"
    return {
        settings.instruments[symbol_id].symbol: {
            name: Decimal(str(figure)) if isinstance(figure, float) else figure for name, figure in figures.items()
        }
        for symbol_id, figures in desk.market.summary().items()
    }


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise DeskError(f"cannot write {path}: {error.strerror or error}") from None
