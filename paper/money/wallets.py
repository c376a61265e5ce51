"""Who owns what: free and locked units by account and asset, kept by double entry.

Whatever an account gets, another one gives. What comes from or goes to strangers (deposits, trades with order flow that
has no account) is the account OUTSIDE's, the only one that may be below zero; commissions are the account FEES'. So the
sum of an asset over all accounts is always zero, and any other sum is a bug.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from paper.money.tracked import Tracked
from paper.units import UNITS_MAX

OUTSIDE: Final = 0
FEES: Final = -1


class Wallet(NamedTuple):
    """One asset of one account, in units."""

    free: int = 0
    locked: int = 0


_EMPTY: Final = Wallet()


class Wallets:
    """All wallets.

    Attributes:
        by_owner: by account and asset, with what has changed since they were last saved.
    """

    def __init__(self, rows: Iterable[tuple[int, str, int, int]]) -> None:
        """Take the saved rows: account, asset, free, locked."""
        self.by_owner = Tracked({(account, asset): Wallet(free, locked) for account, asset, free, locked in rows})
        self._assets: dict[int, set[str]] = {}  # by account: looking through all wallets would take too long
        for account, asset in self.by_owner:
            self._assets.setdefault(account, set()).add(asset)

    def of(self, account: int) -> dict[str, Wallet]:
        """Return the account's wallets by asset, in the order of the alphabet."""
        owned = sorted(self._assets.get(account, ()))
        return {asset: self.by_owner[account, asset] for asset in owned if (account, asset) in self.by_owner}

    def some_of(self, account: int, assets: Iterable[str]) -> dict[str, Wallet]:
        """Return some of the account's wallets by asset, sorted; an empty one where none is."""
        return {asset: self.by_owner.get((account, asset), _EMPTY) for asset in sorted(assets)}

    def accounts(self) -> set[int]:
        """Return the numbers of the clients' accounts."""
        return {account for account in self._assets if account > OUTSIDE}

    def free(self, account: int, asset: str) -> int:
        """Return what the account can use of the asset."""
        return self.by_owner.get((account, asset), _EMPTY).free

    def lock(self, account: int, asset: str, units: int) -> None:
        """Set aside free units for an order."""
        self._move(account, asset, -units, units)

    def unlock(self, account: int, asset: str, units: int) -> None:
        """Give units that were set aside back to their owner."""
        self._move(account, asset, units, -units)

    def pay_locked(self, account: int, asset: str, units: int) -> None:
        """Give units that were set aside to OUTSIDE."""
        self._move(account, asset, 0, -units)
        self._move(OUTSIDE, asset, units, 0)

    def transfer(self, giver: int, taker: int, asset: str, units: int) -> None:
        """Move free units from one account to another."""
        self._move(giver, asset, -units, 0)
        self._move(taker, asset, units, 0)

    def locked(self) -> dict[tuple[int, str], int]:
        """Return what is set aside, by account and asset, where it is not zero."""
        return {key: wallet.locked for key, wallet in self.by_owner.items() if wallet.locked}

    def made(self) -> dict[str, int]:
        """Return by asset what was made or lost since the last `settle`; empty unless there is a bug."""
        sums: dict[str, int] = {}
        for key, before in self.by_owner.before.items():
            sums[key[1]] = sums.get(key[1], 0) + sum(self.by_owner[key]) - sum(before or _EMPTY)
        return {asset: units for asset, units in sums.items() if units}

    def newly_locked(self) -> dict[tuple[int, str], int]:
        """Return by account and asset what more is set aside than at the last `settle`, where it is not zero."""
        befores = self.by_owner.before.items()
        more = ((key, self.by_owner[key].locked - (before or _EMPTY).locked) for key, before in befores)
        return {key: units for key, units in more if units}

    def totals(self) -> dict[str, int]:
        """Return the sum over all accounts by asset; all are zero unless there is a bug."""
        sums: dict[str, int] = {}
        for (_, asset), wallet in self.by_owner.items():
            sums[asset] = sums.get(asset, 0) + sum(wallet)
        return sums

    def changes(self) -> Iterator[tuple[int, str, int, int]]:
        """Return the rows that have settled since they were last saved."""
        return ((account, asset, *self.by_owner[account, asset]) for account, asset in self.by_owner.unsaved)

    def _move(self, account: int, asset: str, free: int, locked: int) -> None:
        key = account, asset
        before = self.by_owner.get(key)
        if before is None:
            before = _EMPTY
            self._assets.setdefault(account, set()).add(asset)
        wallet = self.by_owner[key] = Wallet(before.free + free, before.locked + locked)
        is_sound = account == OUTSIDE or (wallet.free >= 0 and wallet.locked >= 0)
        assert is_sound, f"a wallet fell below zero: account {account} {asset} {wallet}"
        assert abs(wallet.free) + wallet.locked <= UNITS_MAX, f"a wallet is too large: {account} {asset} {wallet}"
