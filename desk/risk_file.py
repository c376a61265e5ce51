"""maker_risk.json: what the maker has earned and lost, and how far it has withdrawn, over the end of its process.

The maker alone writes it, and while none runs who ends its position by hand. Who resumes writes beside it the name of
what he has seen, `maker_resumed`: so neither waits for the other, and what happens after he has looked is not resumed.
"""

import json
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from market.clock import NS_PER_MS, iso_time
from market.exact_json import JsonObject
from market.whole_file import write_whole
from trading.escalation import Account, High, Look, Stage
from trading.readings import Amounts

RISK_FILE: Final = "maker_risk.json"
RESUMED_FILE: Final = "maker_resumed"


class DamagedRiskError(ValueError):
    """The file cannot be read; nobody knows what was lost."""


class Withdrawal(NamedTuple):
    """How far the maker has withdrawn.

    Attributes:
        trip: the name of what a person may resume.
        why: the number that has led there, for a person.
        since_ns: ns since 1970 UTC.
    """

    trip: str
    stage: Stage
    why: str
    since_ns: int

    @property
    def text(self) -> str:
        """The stage and its number, for a person."""
        return f"{self.stage.title}: {self.why}"

    @property
    def document(self) -> JsonObject:
        """It as `status --json` and `why --json` tell it; `since` to the second, UTC."""
        return {"stage": self.stage.title, "why": self.why, "since": f"{iso_time(self.since_ns // NS_PER_MS)[:19]}Z"}


def read_risk(run_dir: Path, of: str | None = None) -> Account | None:
    """Return what is kept, None if there is nothing.

    Args:
        of: the account and pair that it must be of; None: whatever it is of.

    Raises:
        DamagedRiskError: if it cannot be read.
    """
    try:
        kept: dict[str, Any] = json.loads((run_dir / RISK_FILE).read_bytes())
        if of is not None and kept["of"] != of:
            return None
        amounts = {key: _amount(kept[key]) for key in ("neutral_qty", "start", "peak")}
        return Account(
            int(kept["day"]),
            **amounts,
            stage=Stage[kept["stage"]],
            why=str(kept["why"]),
            since_ns=int(kept["since_ns"]),
            is_begun=bool(kept.get("is_begun", True)),
            has=Amounts(*map(_amount, has)) if (has := kept.get("has")) else None,  # former versions kept none
            numbers={name: _amount(number) for name, number in kept.get("numbers", {}).items()},  # nor these
            beginning=tuple(Look(int(at), *map(_amount, amounts)) for at, *amounts in kept.get("beginning", ())),
            standing={Stage[name]: int(since_ns) for name, since_ns in kept.get("standing", {}).items()},
            high=High(int(high[0]), _amount(high[1])) if (high := kept.get("high")) else None,
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise DamagedRiskError(f"{run_dir / RISK_FILE} cannot be read: {error}") from None


def risk_name(account_name: str, symbol: str) -> str:
    """Return the name by which the file knows whose it is, of a `BinanceAccount` and a pair."""
    return f"{account_name} {symbol}"


def kept_account(run_dir: Path, of: str) -> Account | None:
    """Return what an earlier run has kept.

    Args:
        of: account and pair, as `risk_name` has them.

    Returns:
        None if none has, or if the file cannot be read: who goes by its stage tells that.
    """
    try:
        return read_risk(run_dir, of)
    except DamagedRiskError:
        return None


def write_risk(run_dir: Path, of: str, account: Account, *, is_synced: bool) -> None:
    """Keep it.

    Raises:
        OSError: if the disk does not take it; what was there stays.
    """
    of_account = {each.name: getattr(account, each.name) for each in fields(account)}
    named = {
        "stage": account.stage.name,
        "standing": {stage.name: since_ns for stage, since_ns in account.standing.items()},
    }
    content = json.dumps({"of": of, **of_account, **named}, default=_text).encode() + b"\n"
    write_whole(run_dir / RISK_FILE, content, is_synced=is_synced)


def withdrawn(run_dir: Path) -> Withdrawal | None:
    """Return what a person may resume; None if there is nothing."""
    try:
        account = read_risk(run_dir)
    except DamagedRiskError as error:
        found = Withdrawal(damage(run_dir), Stage.CANCELS_ALL, str(error), _changed_ns(run_dir))
    else:
        if account is None or not account.stage:
            return None
        found = Withdrawal(account.trip, account.stage, account.why, account.since_ns)
    return None if found.trip == resumed(run_dir) else found


def damage(run_dir: Path) -> str:
    """Return the name of a file that cannot be read, as something to resume: another one for each content."""
    return f"DAMAGED {_changed_ns(run_dir)}"


def resumed(run_dir: Path) -> str:
    """Return the name of what was resumed last; where that cannot be read, nothing was."""
    try:
        return (run_dir / RESUMED_FILE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def resume(run_dir: Path, trip: str) -> None:
    """Say that a person has seen this.

    Raises:
        OSError: if the disk does not take it.
    """
    write_whole(run_dir / RESUMED_FILE, f"{trip}\n".encode())


def _changed_ns(run_dir: Path) -> int:
    try:
        return (run_dir / RISK_FILE).stat().st_mtime_ns
    except OSError:
        return 0


def _text(amount: object) -> str:
    """Return an amount as JSON has it, exact."""
    assert isinstance(amount, Decimal), f"an account has amounts and numbers, was {amount!r}"
    return str(amount)


def _amount(text: str) -> Decimal:
    if not (amount := Decimal(text)).is_finite():
        raise ValueError(f"expected a number, was {text}")
    return amount
