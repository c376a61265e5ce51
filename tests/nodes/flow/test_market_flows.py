"""Which markets the flow makes, by the settings."""

import gzip
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from bus.topology import Source, first_order_id, first_owner
from commands.actions.desk_start import run_desk
from desk.client import DeskError
from desk.run_dir import NodeError
from desk.sections import flow_in_short
from desk.settings import SettingsError, load_settings
from flow.synthetic import SyntheticFlow
from market.clock import monotonic_ns
from market.codes import Side
from market.commands import MassCancel, NewOrder
from nodes.flow.market import OrderIds
from nodes.flow.market_flows import check_flows, make_flows

ROOT = Path(__file__).resolve().parents[3]
OWNER = first_owner(Source.FLOW)
SNAPSHOT = """1 {"lastUpdateId": 1, "bids": [["%(bid)s", "1"]], "asks": [["%(ask)s", "1"]]}
2 {"stream": "%(name)s@trade", "data": {"e": "trade", "E": 1, "s": "%(symbol)s", "t": 1, "p": "%(bid)s", "q": "1", \
"T": 1, "m": true}}
"""


def mids(flow: SyntheticFlow) -> Decimal:
    """Return the middle of the book that a market begins with."""
    orders = [command for command in flow.start(monotonic_ns()) if isinstance(command, NewOrder)]
    bids = [order.price_ticks for order in orders if order.side == Side.BUY]
    asks = [order.price_ticks for order in orders if order.side == Side.SELL]
    return Decimal(max(bids) + min(asks)) / 2 / 100


def markets(**settings: object) -> dict[int, SyntheticFlow]:
    """Return the synthetic markets that the settings name, by symbol id."""
    keys = {key.replace("__", "."): value for key, value in settings.items()}
    flows = make_flows(load_settings(keys).settings, OWNER, OrderIds(first_order_id(Source.FLOW)))
    return {symbol_id: flow for symbol_id, flow in flows.items() if isinstance(flow, SyntheticFlow)}


def test_a_desk_has_one_market_until_more_are_named() -> None:
    """What a newcomer sees stays as it is, to the last order, when there is another market beside it."""
    (only,) = markets().items()
    both = markets(symbols=[flow_in("ETHUSDT"), flow_in("BNBUSDT")])
    assert (only[0], list(both)) == (0, [0, 1, 2])
    assert only[1].summary() == both[0].summary()
    now_ns = monotonic_ns()
    alone, beside = only[1].start(now_ns), both[0].start(now_ns)
    assert alone == beside
    assert len(alone) > 50


def test_each_market_begins_at_its_mid_with_a_seed_of_its_own() -> None:
    """Two with one seed would move together."""
    flows = markets(symbol="ETHUSDT", flow__start_mid="3010", symbols=[flow_in("BTCUSDT", 90_000), flow_in("BNBUSDT")])
    assert {symbol_id: mids(flow) for symbol_id, flow in flows.items()} == {0: 90_000, 1: 3_010, 2: 600}
    seeds = {symbol_id: flow.summary()["seed"] for symbol_id, flow in flows.items()}
    assert seeds[1] == 7
    assert len(set(seeds.values())) == 3


def flow_in(symbol: str, mid: object = None) -> dict[str, object]:
    """Return the row of a symbol that has a market, beginning at another mid than usual if one is given."""
    return {"symbol": symbol, "has_flow": True} | ({} if mid is None else {"opening_mid": str(mid)})


SOLUSDT = {"symbol": "SOLUSDT", "base": "SOL", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.001"}


def test_a_market_begins_at_the_opening_mid_of_its_own_row() -> None:
    """A pair with rules of its own was quoted at the price of a bitcoin."""
    rows = [SOLUSDT | {"opening_mid": "212.50"}]
    assert {id_: mids(flow) for id_, flow in markets(symbols=rows, symbol="SOLUSDT").items()} == {3: Decimal("212.50")}
    beside = markets(symbols=[rows[0] | {"has_flow": True}, flow_in("ETHUSDT")])
    assert {id_: mids(flow) for id_, flow in beside.items()} == {0: 91_385, 3: Decimal("212.50"), 1: 3_000}
    other = markets(symbols=rows, symbol="SOLUSDT", flow__start_mid="180")
    assert mids(other[3]) == 180
    assert mids(markets(symbol="ETHUSDT")[1]) == 3_000


def test_a_market_without_a_mid_is_refused() -> None:
    """Nobody knows what a new pair costs; a guess would be wrong by orders of magnitude."""
    said = r"SOLUSDT has to begin somewhere: expected opening_mid in the row of SOLUSDT in \[\[symbols\]\]"
    with pytest.raises(NodeError, match=f"{said}, or flow.start_mid$"):
        markets(symbols=[SOLUSDT], symbol="SOLUSDT")
    with pytest.raises(NodeError, match=f"{said}$"):
        markets(symbols=[SOLUSDT | {"has_flow": True}])


def test_a_start_takes_out_the_orders_of_its_symbol_alone() -> None:
    """Markets of one engine share an owner."""
    for symbol_id, flow in markets(symbols=[flow_in("ETHUSDT")]).items():
        cancels = [command for command in flow.start(monotonic_ns()) if isinstance(command, MassCancel)]
        assert cancels == [MassCancel(symbol_id, owner=OWNER)]


@pytest.mark.parametrize("mid", ["0", "-1", "1000001", "nan"])
def test_markets_that_cannot_be_made_are_refused_before_the_start(mid: str) -> None:
    """The error names the row and what was there."""
    with pytest.raises(SettingsError, match=rf"symbols\.0\.opening_mid: expected .*, was '{mid}'"):
        load_settings({"symbols": [flow_in("ETHUSDT", mid)]})


def test_a_mid_between_ticks_is_refused_by_its_symbol() -> None:
    """Only the instrument knows its ticks."""
    with pytest.raises(NodeError, match=r"cannot make a market in ETHUSDT: price must be a multiple of 0\.01"):
        markets(symbols=[flow_in("ETHUSDT", "3000.001")])


def test_live_markets_need_no_mid() -> None:
    """They begin where the market that they follow is."""
    keys = {"flow.source": "live", "symbols": [flow_in("ETHUSDT")]}
    flows = make_flows(load_settings(keys).settings, OWNER, OrderIds(0))
    assert [flow.summary()["symbol"] for flow in flows.values()] == ["BTCUSDT", "ETHUSDT"]


def test_recordings_are_replayed_on_whichever_engine(tmp_path: Path) -> None:
    """A symbol's book may be on another engine than the desk's."""
    paths = []
    for symbol, bid, ask in (("BTCUSDT", "90000.00", "90000.01"), ("ETHUSDT", "3000.00", "3000.01")):
        paths.append(tmp_path / f"{symbol}.gz")
        names = {"symbol": symbol, "name": symbol.lower(), "bid": bid, "ask": ask}
        paths[-1].write_bytes(gzip.compress((SNAPSHOT % names).encode()))
    engines = [{"name": "engine"}, {"name": "engine2", "symbols": ["ETHUSDT"]}]
    keys = {"engines": engines, "flow.source": "replay", "flow.recordings": paths}
    flows = make_flows(load_settings(keys).settings, OWNER, OrderIds(0))
    assert {symbol_id: flow.summary()["symbol"] for symbol_id, flow in flows.items()} == {0: "BTCUSDT", 1: "ETHUSDT"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('1 {"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}', "expected a depth snapshot .* or best"),
        ("1 []", "raw line 1: expected a JSON object"),
        ('1 {"u":1,"s":"SOLUSDT","b":"1","B":"1","a":"2","A":"1"}', "the desk has no pair SOLUSDT"),
    ],
)
def test_a_desk_does_not_start_with_a_flow_that_cannot(source: str, said: str, tmp_path: Path) -> None:
    """Guards against five nodes that start, only for the sixth to say that there is nothing to replay."""
    path = tmp_path / "raw"
    path.write_text(source + "\n")
    overrides = {"run_dir": tmp_path / "run", **flow_in_short(f"replay:{path}")}
    with pytest.raises(DeskError, match=f"cannot replay: .*{said}"):
        run_desk(overrides, (), (), (), is_fresh=False)
    assert not (tmp_path / "run").exists()


def test_order_ids_go_on_behind_those_of_earlier_processes() -> None:
    """An engine that comes later may have seen higher ones."""
    ids = OrderIds(100)
    assert [next(ids), next(ids)] == [101, 102]
    ids.skip(150)
    assert next(ids) == 151
    ids.skip(120)
    assert next(ids) == 152


@pytest.mark.parametrize("source", ["synthetic", "synthetic:busy", "none"])
def test_the_check_before_the_start_passes_what_can_begin(source: str) -> None:
    """It makes the flows with what the flow's node makes them with: one mistake there, and no desk starts."""
    check_flows(load_settings(flow_in_short(source)).settings)


def test_a_made_up_market_loads_no_kernels() -> None:
    """Guards the light node of the default desk: with numba it takes twice the memory, and longer to start."""
    program = (
        "import sys; from itertools import count; from desk.settings import Settings; import nodes.flow.node as node; "
        "node.make_flows(Settings(), 1, count(1)); print('numba' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
