"""Who takes back a withdrawal is told whether the maker goes on."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from desk import client, resuming
from desk.client import DeskError
from desk.risk_file import withdrawn, write_risk
from desk.settings import load_settings
from trading.escalation import Account, Stage


@pytest.mark.parametrize(("now", "is_again"), [("", False), ("FLATTENS 2", True)])
def test_maker_that_withdraws_farther_meanwhile_does_not_quote_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: str, is_again: bool
) -> None:
    """`resume` said that the maker quotes again, while it traded its position away."""
    zero = Decimal(0)
    write_risk(tmp_path, "an account", Account(0, zero, zero, zero, Stage.WIDENS, "so much", 1), is_synced=False)

    def status(_: Path) -> Any:
        if is_again:
            more = Account(0, zero, zero, zero, Stage.FLATTENS, "more", 2)
            write_risk(tmp_path, "an account", more, is_synced=False)
        return {"nodes": [{"node": "maker", "state": "ready", "figures": {"trip": now}}]}

    monkeypatch.setattr(resuming, "desk_pid", lambda _: os.getpid())
    monkeypatch.setattr(client, "desk_status", status)
    settings = load_settings({"run_dir": tmp_path}).settings
    if is_again:
        with pytest.raises(DeskError, match="withdrawn again meanwhile: flattens: more"):
            resuming.resume_maker(settings)
        assert withdrawn(tmp_path) is not None
    else:
        assert resuming.resume_maker(settings) == ["the maker quotes again; it had withdrawn: widens: so much"]
        assert withdrawn(tmp_path) is None


def test_resume_that_cannot_last_says_so_and_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It said that the maker quotes again; a second later that had withdrawn anew, for the same position."""
    zero, settings = Decimal(0), load_settings({"run_dir": tmp_path}).settings
    figures = {"trip": "", "position_use_max": "1.5"}

    def status(_: Path) -> Any:
        return {"nodes": [{"node": "maker", "state": "ready", "figures": figures}]}

    monkeypatch.setattr(resuming, "desk_pid", lambda _: os.getpid())
    monkeypatch.setattr(client, "desk_status", status)
    for use, how in (
        ("1.4999", ""),
        (
            "2.9138",
            " on the side alone that makes the position smaller, and withdraws again in a second: the position is "
            "still 2.9138 times its limit, from 1.5 on it stops new orders; what helps: python cli.py flatten "
            f"--run-dir {tmp_path}, or a start with a larger maker.limits.position and maker.limits.exposure",
        ),
    ):
        since_ns = len(how) + 1
        account = Account(0, zero, zero, zero, Stage.STOPS_NEW, "too much", since_ns)
        write_risk(tmp_path, "an account", account, is_synced=False)
        figures["position_use"] = use
        told = resuming.resume_maker(settings)
        assert told == [f"the maker quotes again{how}; it had withdrawn: stops new: too much"]


def test_maker_that_has_just_begun_has_not_said_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no figures yet: that was taken for a word, and a late answer of a busy desk for the end."""
    zero = Decimal(0)
    write_risk(tmp_path, "an account", Account(0, zero, zero, zero, Stage.WIDENS, "so much", 1), is_synced=False)
    rows: list[Any] = [
        DeskError("the desk does not answer"),
        {"node": "maker", "state": "starting", "figures": {}},
        {"node": "maker", "state": "ready", "figures": {"trip": "WIDENS 1"}},
        {"node": "maker", "state": "ready", "figures": {"trip": ""}},
    ]

    def status(_: Path) -> Any:
        row = rows.pop(0)
        if isinstance(row, DeskError):
            raise row
        return {"nodes": [row]}

    monkeypatch.setattr(resuming, "desk_pid", lambda _: os.getpid())
    monkeypatch.setattr(client, "desk_status", status)
    told = resuming.resume_maker(load_settings({"run_dir": tmp_path}).settings)
    assert (told, rows) == (["the maker quotes again; it had withdrawn: widens: so much"], [])
