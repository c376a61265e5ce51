"""A maker that withdraws, as it is kept over the end of its process, shown, and taken back by a person."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from desk.decisions_file import last_decisions
from desk.risk_file import RISK_FILE, DamagedRiskError, read_risk, resume, withdrawn, write_risk
from desk.run_dir import StayDownError
from market.clock import NS_PER_SECOND
from market.codes import Side
from tests.nodes.maker.makers import ScriptedMaker, Told, a_maker, figures, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.escalation import Account, High, Look, Stage

OF = "scripted BTCUSDT"
MID_TICKS = 9_138_500


def lose(maker: ScriptedMaker, venue: ScriptedVenue, left: str) -> None:
    """Let its bitcoin be worth so much less that so much is left of 10,000, and time for the maker to see that."""
    begin(maker, venue)
    venue.mid_ticks = MID_TICKS - 100 * (10_000 - int(left))
    begin(maker, venue)


def begin(maker: ScriptedMaker, venue: ScriptedVenue) -> None:
    """Give the maker the time that a day's beginning takes."""
    maker.cycle()
    for _ in range(4):
        venue.now[0] += NS_PER_SECOND
        maker.cycle()


@pytest.fixture(autouse=True)
def holds(venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the account has at first: all of it is a position, which may be as large."""
    venue.totals |= {"USDT": "10000", "BTC": "1"}
    monkeypatch.setenv("TICKBUS_MAKER__NEUTRAL", "0")
    monkeypatch.setenv("TICKBUS_MAKER__LIMITS__EXPOSURE", "1000000")


def test_withdrawn_maker_is_so_over_a_restart_until_a_person_resumes(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path, told: Told
) -> None:
    """The limit of a day's loss is 1,000: with a loss of 1,001 no order is in the book, nor comes there."""
    lose(quoting, venue, "8999")
    assert venue.prices() == {}
    assert "withdrawn" not in figures(quoting), "the file tells it, and nothing else"
    assert [line["rule"] for line in lines(told, "withdrew")] == ["WITHDRAWN"]
    numbers = {"lost_today": 1_001, "lost_today_from": 1_000}
    of_rule = [each for each in last_decisions(run_dir, 100) if each["rule"] == "WITHDRAWN"]
    assert {each["action"] for each in of_rule} >= {"cancel", "idle", "withdrew"}
    assert all(each["numbers"] == numbers for each in of_rule), "empty numbers tell nobody what has led there"
    with a_maker(run_dir, venue) as successor:
        for _ in range(3):
            successor.cycle()
        assert venue.prices() == {}, "a restart is no person"
        assert len(lines(told, "goes on as it had withdrawn")) == 1
        kept = read_risk(run_dir, OF)
        assert kept is not None
        assert kept.numbers == numbers
        new = [each for each in last_decisions(run_dir, 100) if each["rule"] == "WITHDRAWN"][len(of_rule) :]
        assert [each["numbers"] for each in new if each["action"] == "idle"] == [numbers] * 2
        found = withdrawn(run_dir)
        assert found is not None
        assert found.text == "flattens: 1001.00 USDT lost today, from 1000.0 on"
        resume(run_dir, found.trip)
        assert successor.maker.follow_resume()
        successor.cycle()
        assert len(venue.prices()) == 2
        assert withdrawn(run_dir) is None
    with a_maker(run_dir, venue) as third:
        lose(third, venue, "7998")
        assert read_stage(run_dir) == Stage.FLATTENS, "what comes after a resume is not resumed"
        assert not third.maker.follow_resume()


def trip_of(run_dir: Path) -> str:
    """Return the name of what there is to resume."""
    found = withdrawn(run_dir)
    assert found is not None
    return found.trip


def read_stage(run_dir: Path) -> Stage | None:
    """Return what is kept."""
    account = read_risk(run_dir, OF)
    return None if account is None else account.stage


def test_orders_that_leave_for_wider_ones_say_what_was_lost(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path
) -> None:
    """They said how many ticks they were off, and not why."""
    lose(quoting, venue, "9499")
    assert len(venue.prices()) == 2
    gone = [each for each in last_decisions(run_dir, 100) if "lost_today" in each["numbers"]]
    assert {(each["action"], each["side"], each["rule"]) for each in gone} >= {
        ("cancel", "BUY", "TOLERANCE"),
        ("cancel", "SELL", "TOLERANCE"),
    }
    assert all(each["numbers"]["lost_today"] == 501 for each in gone)


def test_loss_before_a_restart_counts(quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path) -> None:
    """Twice 600: no single run has lost the day's 1,000."""
    lose(quoting, venue, "9400")
    assert read_stage(run_dir) == Stage.WIDENS
    with a_maker(run_dir, venue) as successor:
        lose(successor, venue, "8800")
        assert figures(successor)["lost_today"] == "1200.00"
        assert venue.prices() == {}


def test_small_losses_of_many_runs_count_together(quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path) -> None:
    """Thrice 400, none of which reaches a stage: there is nothing to resume, and nobody has resumed anything."""
    lose(quoting, venue, "9600")
    assert read_stage(run_dir) == Stage.QUOTES
    with a_maker(run_dir, venue) as successor:
        lose(successor, venue, "9200")
        assert figures(successor)["lost_today"] == "800.00"
    with a_maker(run_dir, venue) as third:
        lose(third, venue, "8800")
        assert figures(third)["lost_today"] == "1200.00"
        assert venue.prices() == {}


def test_resume_while_no_maker_runs_holds(quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path) -> None:
    """The next one begins with what there is."""
    lose(quoting, venue, "8999")
    resume(run_dir, trip_of(run_dir))
    with a_maker(run_dir, venue) as successor:
        successor.cycle()
        assert len(venue.prices()) == 2
        assert figures(successor)["lost_today"] == "0.00"


@pytest.mark.parametrize("usdt", ["100000", "2000"], ids=["a deposit", "a withdrawal"])
@pytest.mark.parametrize("is_filled", [True, False])
def test_what_comes_or_goes_while_no_maker_runs_is_neither_gain_nor_loss(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path, told: Told, usdt: str, is_filled: bool
) -> None:
    """Who took out 8,000 while it was away had one that withdrew at its start, for good; what it has lost stays lost.

    Beside that its bid was filled meanwhile, at a fee.
    """
    lose(quoting, venue, "9800")
    moved, qty = Decimal(usdt) - 10_000, Decimal(0)
    if is_filled:
        (bid,) = (order for order in venue.orders.values() if order.side == Side.BUY)
        venue.fill(bid.order_id)
        qty = bid.qty
        venue.totals = {"BTC": str(1 + qty * Decimal("0.999")), "USDT": str(Decimal(usdt) - qty * bid.price)}
    else:
        venue.totals = {"BTC": "1", "USDT": usdt}
    with a_maker(run_dir, venue) as successor:
        for _ in range(6):
            venue.now[0] += NS_PER_SECOND
            successor.cycle()
        found = lines(told, "the account has changed")
        assert all(
            re.fullmatch(r"([+-][\d.]*[1-9]0* \w+(, )?)+, and no fill of ours explains it", line["why"])
            for line in found
        )
        assert not any(re.search(r"\.\d*0 ", line["why"]) for line in found), "no zeros behind the last digit"
        assert [abs(Decimal(line["worth"]) - moved) < 3 for line in found] == [True]
        assert abs(Decimal(figures(successor)["lost_today"]) - 200) < 5
        assert withdrawn(run_dir) is None
        assert len(venue.prices()) == 2
    with a_maker(run_dir, venue) as third:
        third.cycle()
        assert len(venue.prices()) == 2, "it needs no second look at what is known"
        assert len(lines(told, "the account has changed")) == 1


def test_file_of_a_former_version_says_nothing_of_what_there_was(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path, told: Told
) -> None:
    """What is there is believed then as it was."""
    lose(quoting, venue, "9800")
    kept = json.loads((run_dir / RISK_FILE).read_bytes())
    del kept["has"]
    (run_dir / RISK_FILE).write_text(json.dumps(kept))
    with a_maker(run_dir, venue) as successor:
        successor.cycle()
        assert figures(successor)["lost_today"] == "200.00"
    assert lines(told, "the account has changed") == []


def test_what_is_kept_of_another_account_is_not_ours(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path
) -> None:
    """A desk that goes from one venue to another begins anew."""
    lose(quoting, venue, "8999")
    kept = json.loads((run_dir / RISK_FILE).read_bytes())
    (run_dir / RISK_FILE).write_text(json.dumps({**kept, "of": "another BTCUSDT"}))
    with a_maker(run_dir, venue) as successor:
        successor.cycle()
        assert len(venue.prices()) == 2


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"of": 1', b"\xff"])
def test_damaged_file_lets_nothing_be_quoted_until_a_person_resumes(
    venue: ScriptedVenue, now: list[int], run_dir: Path, content: bytes
) -> None:
    """Nobody knows what was lost."""
    (run_dir / RISK_FILE).write_bytes(content)
    with pytest.raises(DamagedRiskError):
        read_risk(run_dir, OF)
    with a_maker(run_dir, venue) as maker:
        maker.cycle()
        assert venue.prices() == {}
        found = withdrawn(run_dir)
        assert found is not None
        assert "cannot be read" in found.text
        resume(run_dir, trip_of(run_dir))
        assert maker.maker.follow_resume()
        maker.cycle()
        assert len(venue.prices()) == 2
    (run_dir / RISK_FILE).write_bytes(content)
    assert trip_of(run_dir).startswith("DAMAGED")
    resume(run_dir, trip_of(run_dir))
    with a_maker(run_dir, venue) as maker:
        maker.cycle()
        assert len(venue.prices()) == 2


def test_maker_that_is_to_have_no_connection_ends_and_needs_a_person(
    quoting: ScriptedMaker, venue: ScriptedVenue
) -> None:
    """One and a half times the day's loss."""
    quoting.maker._risk.check()
    lose(quoting, venue, "8500")
    assert venue.prices() == {}
    with pytest.raises(StayDownError, match="lost today"):
        quoting.maker._risk.check()


def test_position_outlives_a_restart(venue: ScriptedVenue, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a maker held when it came back was neutral: it never got rid of what it had bought."""
    monkeypatch.delenv("TICKBUS_MAKER__NEUTRAL")
    with a_maker(run_dir, venue) as one:
        one.cycle()
        assert figures(one)["position"] == "0"
        venue.fill("1")
        venue.totals |= {"BTC": "1.01094", "USDT": "9002.25"}
        one.cycle()
    with a_maker(run_dir, venue) as successor:
        successor.cycle()
        assert (figures(successor)["position"], figures(successor)["neutral"]) == ("0.01094", "1")
    with a_maker(run_dir, venue, neutral="1.01") as told_otherwise:
        told_otherwise.cycle()
        assert figures(told_otherwise)["position"] == "0.00094"
    (run_dir / RISK_FILE).unlink()
    with a_maker(run_dir, venue) as anew:
        anew.cycle()
        assert figures(anew)["position"] == "0"


def test_position_beyond_its_limit_at_the_start_is_told_once(
    venue: ScriptedVenue, run_dir: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit below what is held began without a word."""
    monkeypatch.setenv("TICKBUS_MAKER__LIMITS__POSITION", "0.8")
    with a_maker(run_dir, venue) as one:
        one.cycle()
        one.cycle()
    (line,) = lines(told, "holds more than its limit: the limit was set below that")
    assert (line["times"], figures(one)["position_use"]) == ("1.25", "1.2500")


def test_maker_that_crashes_soon_after_each_start_has_its_limit_of_the_day(
    venue: ScriptedVenue, now: list[int], run_dir: Path
) -> None:
    """Its day began with what stands for 3 s of one process: in a loop of crashes it never did, and nothing counted."""

    def live() -> None:
        now[0] += 5 * NS_PER_SECOND
        with a_maker(run_dir, venue) as one:  # which ends as it stands
            one.cycle()

    for _ in range(4):
        live()
    kept = read_risk(run_dir, OF)
    assert kept is not None
    assert (kept.is_begun, kept.beginning) == (True, ())
    venue.mid_ticks = MID_TICKS - 100 * 1_001
    live()
    kept = read_risk(run_dir, OF)
    assert kept is not None
    assert ({*kept.standing}, kept.stage) == ({Stage.WIDENS, Stage.CANCELS_ALL, Stage.FLATTENS}, Stage.QUOTES)
    live()
    assert read_stage(run_dir) == Stage.FLATTENS
    assert venue.prices() == {}


def test_what_stands_is_kept_as_it_was(venue: ScriptedVenue, now: list[int], run_dir: Path) -> None:
    """To the last digit, and a file of a former version has nothing of it."""
    high = High(now[0], Decimal("10000.123456789"))
    looks = Look(now[0], Decimal("101385.005"), Decimal("91385.005")), Look(now[0] + 1, Decimal(1), Decimal("1e-8"))
    account = Account(3, Decimal("0.1"), Decimal(1), Decimal(2), beginning=looks, standing={Stage.WIDENS: 7}, high=high)
    write_risk(run_dir, OF, account, is_synced=False)
    assert read_risk(run_dir, OF) == account
    kept = json.loads((run_dir / RISK_FILE).read_bytes())
    for name in ("beginning", "standing", "high"):
        del kept[name]
    (run_dir / RISK_FILE).write_text(json.dumps(kept))
    assert read_risk(run_dir, OF) == replace(account, beginning=(), standing={}, high=None)


def test_day_that_one_life_has_seen_for_a_moment_begins_with_what_stands(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path
) -> None:
    """A mid of one moment was kept as what the day had begun with, over every restart of it."""
    venue.now[0] += NS_PER_SECOND
    quoting.cycle()
    kept = read_risk(run_dir, OF)
    assert kept is not None
    assert not kept.is_begun
    venue.mid_ticks = MID_TICKS - 100_000
    with a_maker(run_dir, venue) as successor:
        begin(successor, venue)
        assert figures(successor)["lost_today"] == "0.00"
        kept = read_risk(run_dir, OF)
        assert kept is not None
        assert kept.is_begun
        assert kept.start == Decimal(10_000) + (MID_TICKS - 100_000) * Decimal("0.01")
