"""What `benchmarks.hour` makes of desks: both ways to measure agree, and a desk that trades otherwise is told apart."""

import pytest

from benchmarks.hour import ORDERS, Given, Real, alike, compare, delays_of, matched, simulated_hour
from benchmarks.hour_measures import Tally, look_times
from benchmarks.parity_records import OURS
from desk.settings import Settings, load_settings
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.commands import NewOrder
from market.kernels.rows import TAG, Int64Array, read_command
from market.messages import COMMAND_BY_TAG
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.digest import Digest

START_NS = 1_767_225_600 * NS_PER_SECOND  # 2026-01-01
SECONDS = 40
SETTINGS = {"flow.source": "synthetic", "maker.half_spread": "0.0002"}


def _settings(**others: str) -> Settings:
    return load_settings({**SETTINGS, **{key.replace("__", "."): value for key, value in others.items()}}).settings


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Real:
    """Return what a simulated desk did, measured by the news of its account, and the commands at its engine."""
    given: list[Given] = []

    def keep(_: Digest, rows: Int64Array) -> None:
        commands = (read_command(row) for row in rows if row[TAG] in COMMAND_BY_TAG)
        given.extend(Given(command.time_ns, command) for command in commands)

    settings, tally = _settings(), Tally(_settings().instrument)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Digest, "add_rows", keep)
        desk = SimulatedDesk(settings, START_NS, tmp_path_factory.mktemp("reports"))
        desk.exchange.exchange.account_listeners.append(tally.hear)
        desk.exchange.exchange.market.listeners.append(tally)
        end_ns = START_NS + SECONDS * NS_PER_SECOND
        for at_ns in look_times(START_NS, end_ns):
            desk.heap.at(at_ns, lambda: tally.look(desk.market.engine.depth(settings.instrument.symbol_id, 1)))
        desk.run(end_ns)
    return Real(settings, START_NS, given, Delays(), tally)


def test_the_journal_and_the_account_tell_the_same(seen: Real) -> None:
    """Real desks are measured by the one, simulated ones by the other: a difference must be the desks'."""
    end_ns = START_NS + SECONDS * NS_PER_SECOND
    by_journal, by_account = matched(seen.settings, seen.commands, START_NS, end_ns).measures(), seen.tally.measures()
    assert by_journal == by_account
    fills = by_journal["own: fills/min"] * SECONDS / 60
    most = fills * 0.01156  # BTC; less of them has come in parts
    assert 0 < by_journal["own: BTC bought"] + by_journal["own: BTC sold"] < most * 0.99, by_journal


def test_a_market_is_alike_up_to_the_first_other_command(seen: Real) -> None:
    """Nothing of ours interferes before the first fill; a command that is missing is found where it was."""
    told = alike(seen, SECONDS)
    assert told.first_count > 100
    assert told.taker_share > 0.9
    orders = [number for number, each in enumerate(seen.commands) if isinstance(each.command, ORDERS)]
    at = orders[20]
    without = seen._replace(commands=[*seen.commands[:at], *seen.commands[at + 1 :]])
    assert alike(without, SECONDS).first_count == 20


def test_a_desk_that_quotes_closer_is_told_apart() -> None:
    """Half of the spread is far beyond what chance does; the same settings are not."""
    runs = [simulated_hour(_settings(flow__seed=str(seed)), START_NS, SECONDS, Delays()) for seed in (7, 8, 9, 10)]
    same, closer = runs[0], simulated_hour(_settings(maker__half_spread="0.0001"), START_NS, SECONDS, Delays())
    others = [run.measures() for run in runs[1:]]
    assert all(each.is_within for each in compare(same.measures(), others, others).values())
    table = compare(closer.measures(), others, others)
    assert not table["own: spread, bps"].is_within


def test_a_figure_without_any_spread_must_be_the_same() -> None:
    """Where nothing is left to chance, a difference is infinitely far."""
    alike_runs = [{"a": 1.0}, {"a": 1.0}]
    assert compare({"a": 1.0}, alike_runs, alike_runs)["a"].is_within
    assert not compare({"a": 2.0}, alike_runs, alike_runs)["a"].is_within


def test_latencies_are_those_of_the_journal() -> None:
    """1 ms from the exchange to its engine and 2 ms from the trader to the exchange make 6 ms from answer to answer."""
    own, given = OURS.start, []
    for number in range(40):
        at_ns = START_NS + number * 6 * NS_PER_MS
        given.append(Given(at_ns, NewOrder(number + 1, 0, 0, 100, 1, owner=own, time_ns=at_ns - NS_PER_MS)))
        given.append(Given(at_ns + 1, NewOrder(1_000 + number, 0, 0, 100, 1, owner=own + 2**20, time_ns=at_ns)))
    pause_ns = 300 * NS_PER_MS  # nothing to do: no latency
    given.append(Given(given[-1].time_ns + pause_ns, given[0].command._replace(time_ns=given[-1].time_ns)))
    assert delays_of(given) == Delays(order_ns=NS_PER_MS, venue_ns=2 * NS_PER_MS, venue_more_ns=0)
