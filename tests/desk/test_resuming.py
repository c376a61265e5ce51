"""Who takes back a withdrawal is told whether the maker goes on."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from desk import resuming
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
    said: Any = {
        "nodes": [{"node": "maker", "state": "ready", "figures": {"trip": now, "withdrawn": "flattens: more"}}]
    }
    monkeypatch.setattr(resuming, "desk_pid", lambda _: os.getpid())
    monkeypatch.setattr(resuming, "desk_status", lambda _: said)
    settings = load_settings({"run_dir": tmp_path}).settings
    if is_again:
        with pytest.raises(DeskError, match="withdrawn again meanwhile: flattens: more"):
            resuming.resume_maker(settings)
    else:
        assert resuming.resume_maker(settings) == ["the maker quotes again; it had withdrawn: widens: so much"]
    assert withdrawn(tmp_path) == ("", "")
