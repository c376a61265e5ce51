"""What the exchange knows of an account besides its money: its resets, and how it wants to pay fees."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from market.limits import OWNERS_PER_SOURCE
from paper.money.tracked import Tracked

Row = tuple[int, int, int, int | None, str, int]


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One account.

    Attributes:
        reset_count: how often it began anew.
        reset_ms: when it did so last, ms since 1970 UTC; 0 for never.
        is_bnb_payer: whether it wants to pay fees in BNB; None leaves it to the exchange.
        clearing: the engines that may still hold orders from before its last reset.
        swept_count: from so many of its earlier lives nothing is left on the disk.
    """

    reset_count: int = 0
    reset_ms: int = 0
    is_bnb_payer: bool | None = None
    clearing: frozenset[str] = frozenset()
    swept_count: int = 0

    def uid(self, account: int) -> int:
        """Return the id that clients see: another one after each reset, since then it is another account."""
        return self.reset_count * OWNERS_PER_SOURCE + account

    def unswept_uid(self, account: int) -> int | None:
        """Return the id that it had in the earliest of its lives of which something may be left; None for none."""
        return self.swept_count * OWNERS_PER_SOURCE + account if self.swept_count < self.reset_count else None


def account_of(uid: int) -> int:
    """Return the account that has, or had, an id."""
    return uid % OWNERS_PER_SOURCE


_UNTOUCHED: Final = AccountRecord()


class AccountRecords(Tracked[int, AccountRecord]):
    """All records by account, and which of them have changed since they were last saved."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Take the saved rows: as the fields of a record, the engines joined by commas."""
        super().__init__(
            {
                account: AccountRecord(
                    count,
                    ms,
                    None if is_payer is None else bool(is_payer),
                    frozenset(filter(None, names.split(","))),
                    swept_count,
                )
                for account, count, ms, is_payer, names, swept_count in rows
            }
        )

    def of(self, account: int) -> AccountRecord:
        """Return the record of an account."""
        return self.get(account, _UNTOUCHED)

    def uid(self, account: int) -> int:
        """Return the id of an account's present life."""
        return self.of(account).uid(account)

    def clearing(self, engine: str) -> list[int]:
        """Return the accounts of which `engine` may still hold orders from before their last reset."""
        return [account for account, record in self.items() if engine in record.clearing]

    def changes(self) -> Iterator[Row]:
        """Return the rows that have settled since they were last saved."""
        for account in self.unsaved:
            record = self[account]
            is_payer = None if record.is_bnb_payer is None else int(record.is_bnb_payer)
            names = ",".join(sorted(record.clearing))
            yield account, record.reset_count, record.reset_ms, is_payer, names, record.swept_count
