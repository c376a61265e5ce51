"""What the settings make of a desk: its nodes, their symbols, folders, addresses and numbers."""

import json
from pathlib import Path
from typing import Any

import pytest

from desk.plan import Plan
from desk.run_dir import NodeError
from desk.settings import SettingsError, load_settings
from desk.source_numbers import NUMBERS_FILE, with_source_numbers
from market.limits import ENGINES_MAX, GATEWAYS_MAX, SOURCE_MAX

Rows = list[dict[str, Any]]
TWO: Rows = [{"name": "engine"}, {"name": "east", "symbols": ["eth/usdt"], "orders_max": 100, "host": "127.0.0.2"}]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def plan_of(**tables: object) -> Plan:
    """Return the plan of a desk with these settings."""
    return load_settings({key.replace("__", "."): value for key, value in tables.items()}).settings.plan


def refusal(**tables: object) -> str:
    """Return the one line in which these settings are refused."""
    with pytest.raises(SettingsError) as refused:
        plan_of(**tables)
    (line,) = str(refused.value).splitlines()
    return line


def test_a_desk_without_tables_has_one_engine_and_one_gateway() -> None:
    """As before there were tables: with all symbols, the port of `[gateway]`, and the number 1."""
    plan = plan_of(gateway__port=9, engine__journal="sync")
    engine, gateway = plan.engines["engine"], plan.gateways["gateway"]
    assert [node.name for node in plan.nodes] == ["engine", "gateway", "paper", "flow", "api", "maker", "tracker"]
    assert engine.settings.journal == "sync"
    assert engine.symbol_ids == {0, 1, 2}
    assert (engine.journal_folder, gateway.folder) == (Path("run/journal"), Path("run/gateway"))
    assert (gateway.settings.port, gateway.source) == (9, 1)


def test_an_instance_overrides_what_holds_for_all() -> None:
    """And has a journal and ports of its own; whoever needs an engine needs every one."""
    plan = plan_of(engines=TWO, engine__orders_max=50, gateways=[{"name": "gateway"}, {"name": "b", "idle_s": 5}])
    engine, east = plan.engines.values()
    assert (engine.settings.orders_max, east.settings.orders_max) == (50, 100)
    assert (engine.address.host, engine.address.port) == ("127.0.0.1", 8090)
    assert (east.address.host, east.address.port) == ("127.0.0.2", 8093)
    assert east.journal_folder == Path("run/journal.east")
    assert plan.engine_of == {"BTCUSDT": "engine", "ETHUSDT": "east", "BNBUSDT": "engine"}
    assert plan.symbol_ids == {"engine": {0, 2}, "east": {1}}
    assert [each.settings.idle_s for each in plan.gateways.values()] == [30, 5]
    needs = {node.name: node.needs for node in plan.nodes}
    assert needs["b"] == needs["api"] == ("engine", "east")
    assert needs["maker"] == ("gateway", "b", "paper", "flow")
    assert plan.needing(["east"]) == {"gateway", "b", "paper", "flow", "api", "maker", "tracker"}
    assert [plan.source_name(number) for number in (1, 2, 5, 99)] == ["gateway", "paper", "b", "source 99"]


def test_only_what_has_something_to_do_runs() -> None:
    """No paper exchange at another venue, no flow where there is none; what is named runs all the same."""
    assert {"paper", "flow"} & {node.name for node in plan_of(venue__name="binance-testnet").chosen()} == set()
    plan = plan_of(flow__source="none")
    assert [node.name for node in plan.chosen(without=["maker"])] == ["engine", "gateway", "paper", "api", "tracker"]
    assert [node.name for node in plan.chosen(only=["flow", "engine"])] == ["engine", "flow"]
    with pytest.raises(ValueError, match="there is no node engine2; the nodes are engine, gateway, paper"):
        plan.chosen(only=["engine2"])


@pytest.mark.parametrize(
    ("engines", "says"),
    [
        ([{"name": "a", "symbols": ["NOPE"]}], "a: expected symbols of BTCUSDT, ETHUSDT, BNBUSDT, were NOPE too"),
        ([{"name": "a", "symbols": ["ETHUSDT"]}], "expected an engine for BTCUSDT, BNBUSDT: one without `symbols`"),
        ([{"name": "a"}, {"name": "b"}], "b: expected its symbols"),
        ([*TWO, {"name": "c", "symbols": ["ETHUSDT"]}], "c: expected each symbol at one engine, east has ETHUSDT, too"),
        ([], "engines: expected an engine for BTCUSDT, ETHUSDT, BNBUSDT"),
        ([{"name": f"e{n}"} for n in range(ENGINES_MAX + 1)], f"at most {ENGINES_MAX}"),
        ([{"name": "a", "orders_max": 1}], "engines.0.orders_max: expected greater than or equal to 16, was 1"),
        ([{"name": "a", "placement": ""}], "engines.0.placement: no such setting"),
        ([{"name": "a", "host": "10.0.0.1"}], "a: expected bus.curve to be true: its host 10.0.0.1 is not loopback"),
        ([{"symbols": ["ETHUSDT"]}], "engines.0.name: expected a value"),
        ([{"name": "A b"}], "engines.0.name: string should match pattern"),
    ],
)
def test_engines_that_cannot_be_are_refused(engines: Rows, says: str) -> None:
    """In one line, with the place and what was expected."""
    bus = {"bus__listen": True, "bus__curve": False} if "host" in str(engines) else {}
    assert says in refusal(engines=engines, **bus)


@pytest.mark.parametrize(
    ("gateways", "says"),
    [
        ([{"name": "a"}, {"name": "a"}], "expected each name once, there are two nodes called a"),
        ([], "gateways: expected at least one"),
        ([{"name": "engine"}], "expected each name once, there are two nodes called engine"),
        ([{"name": "paper"}], "expected another name for a node of the kind gateway than paper"),
        ([{"name": "logs"}], "expected another name for a node of the kind gateway than logs"),
        ([{"name": "maker_id"}], "expected another name for a node of the kind gateway than maker_id"),
        ([{"name": "a", "source": 5}, {"name": "b", "source": 5}], "b: expected a source of its own, 5 is that of a"),
        ([{"name": "a", "source": 2}], "a: expected a free number as source, 2 is paper's"),
        ([{"name": "a", "source": SOURCE_MAX + 1}], f"gateways.0.source: expected less than or equal to {SOURCE_MAX}"),
        ([{"name": f"g{n}"} for n in range(GATEWAYS_MAX + 1)], f"at most {GATEWAYS_MAX}"),
    ],
)
def test_gateways_that_cannot_be_are_refused(gateways: Rows, says: str) -> None:
    """Two of one name or number would be one to the engines."""
    assert says in refusal(gateways=gateways)


def numbers_of(run_dir: Path, *rows: dict[str, Any]) -> dict[str, int | None]:
    """Start a desk with these gateways; return the number of each."""
    settings = with_source_numbers(load_settings({"run_dir": run_dir, "gateways": list(rows)}).settings)
    assert {row.name: row.source for row in settings.gateways} == {
        each.name: each.source for each in settings.plan.gateways.values()
    }
    return {row.name: row.source for row in settings.gateways}


def test_a_gateway_keeps_its_number_for_good(tmp_path: Path) -> None:
    """Whatever becomes of the others: it stands in front of the order ids in the journals and the sessions."""
    a, b, c = {"name": "a"}, {"name": "b"}, {"name": "c"}
    assert numbers_of(tmp_path, a, b) == {"a": 1, "b": 5}
    assert numbers_of(tmp_path, c, b) == {"c": 6, "b": 5}
    assert numbers_of(tmp_path, b, {"name": "d", "source": 80}, a) == {"b": 5, "d": 80, "a": 1}
    assert json.loads((tmp_path / NUMBERS_FILE).read_text()) == {"a": 1, "b": 5, "c": 6, "d": 80}
    for row, says in (
        ({"name": "b", "source": 9}, "b: expected source 5, which its sessions and orders have, was 9"),
        ({"name": "e", "source": 6}, "e: expected a source of its own, 6 is that of c"),
    ):
        with pytest.raises(NodeError, match=says):
            numbers_of(tmp_path, row)
    (tmp_path / NUMBERS_FILE).write_text('{"a": "1"}')
    with pytest.raises(NodeError, match=f"{NUMBERS_FILE}: expected the number of every gateway by its name"):
        numbers_of(tmp_path, a)


def test_gateways_of_a_desk_that_kept_no_numbers_have_those_of_old(tmp_path: Path) -> None:
    """They were told by their names; the folders of their sessions say which there were."""
    for name in ("gateway", "gateway3"):
        (tmp_path / name).mkdir()
    rows = ({"name": name} for name in ("new", "gateway3", "gateway"))
    assert numbers_of(tmp_path, *rows) == {"new": 5, "gateway3": 6, "gateway": 1}
    (tmp_path / NUMBERS_FILE).unlink()
    numbers_of(tmp_path, {"name": "gateway3"})
    (tmp_path / "gateway3").rmdir()
    assert numbers_of(tmp_path, {"name": "new"}, {"name": "gateway3"}) == {"new": 5, "gateway3": 6}


def test_a_free_port_becomes_the_fixed_one_of_its_node() -> None:
    """Of one of several gateways, and of a node whose port is a setting."""
    settings = load_settings({"gateways": [{"name": "a", "port": 0}, {"name": "b", "port": 0}]}).settings
    for name, port in (("b", 7), ("api", 8), ("paper", 9)):
        settings = settings.with_port(settings.plan.named([name])[0], port)
    assert [each.settings.port for each in settings.plan.gateways.values()] == [0, 7]
    assert (settings.api.port, settings.paper.port) == (8, 9)


@pytest.mark.parametrize(
    ("journals", "is_synced"),
    [(("write", "none"), False), (("group", "write"), True), (("write", "sync"), True), (("none", "none"), False)],
)
def test_who_goes_on_from_an_engine_that_syncs_syncs_too(journals: tuple[str, str], *, is_synced: bool) -> None:
    """A ledger or a session that has lost what the engine's disk has would have told what nobody knows any more."""
    symbols = ["BTCUSDT"], ["ETHUSDT", "BNBUSDT"]
    rows = [{"name": f"e{n}", "journal": journals[n], "symbols": symbols[n]} for n in range(2)]
    assert load_settings({"engines": rows}).settings.plan.is_synced == is_synced
