"""Who owns what: free and locked units by account and asset, kept by double entry.

Whatever an account gets, another one gives. What comes from or goes to strangers (deposits, trades with order flow that
has no account) is the account OUTSIDE's, the only one that may be below zero; commissions are the account FEES'. So the
sum of an asset over all accounts is always zero, and any other sum is a bug.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from paper.units import UNITS_MAX

OUTSIDE: Final = 0
FEES: Final = -1


@dataclass(slots=True)
class Wallet:
    """One asset of one account, in units."""

    free: int = 0
    locked: int = 0


class Wallets:
    """All wallets, and which of them have changed since they were last saved."""

    def __init__(self, rows: Iterable[tuple[int, str, int, int]]) -> None:
        """Take the saved rows: account, asset, free, locked."""
        self._wallets: dict[tuple[int, str], Wallet] = {
            (account, asset): Wallet(free, locked) for account, asset, free, locked in rows
        }
        self._assets: dict[int, set[str]] = {}  # by account: looking through all wallets would take too long
        for account, asset in self._wallets:
            self._assets.setdefault(account, set()).add(asset)
        self._before: dict[tuple[int, str], tuple[int, int]] = {}

    def of(self, account: int) -> dict[str, Wallet]:
        """Return the account's wallets by asset, in the order of the alphabet."""
        return {asset: self._wallets[account, asset] for asset in sorted(self._assets.get(account, ()))}

    def some_of(self, account: int, assets: Iterable[str]) -> dict[str, Wallet]:
        """Return copies of some of the account's wallets by asset, sorted; an empty one where none is."""
        found = {asset: self._wallets.get((account, asset)) for asset in sorted(assets)}
        return {asset: Wallet(each.free, each.locked) if each else Wallet() for asset, each in found.items()}

    def accounts(self) -> set[int]:
        """Return the numbers of the clients' accounts."""
        return {account for account in self._assets if account > OUTSIDE}

    def free(self, account: int, asset: str) -> int:
        """Return what the account can use of the asset."""
        wallet = self._wallets.get((account, asset))
        return wallet.free if wallet is not None else 0

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
        return {key: wallet.locked for key, wallet in self._wallets.items() if wallet.locked}

    def made(self) -> dict[str, int]:
        """Return by asset what was made or lost since the last `settle`; empty unless there is a bug."""
        sums: dict[str, int] = {}
        for key, (free, locked) in self._before.items():
            wallet = self._wallets[key]
            sums[key[1]] = sums.get(key[1], 0) + wallet.free + wallet.locked - free - locked
        return {asset: units for asset, units in sums.items() if units}

    def newly_locked(self) -> dict[tuple[int, str], int]:
        """Return by account and asset what more is set aside than at the last `settle`, where it is not zero."""
        more = ((key, self._wallets[key].locked - locked) for key, (_, locked) in self._before.items())
        return {key: units for key, units in more if units}

    def totals(self) -> dict[str, int]:
        """Return the sum over all accounts by asset; all are zero unless there is a bug."""
        sums: dict[str, int] = {}
        for (_, asset), wallet in self._wallets.items():
            sums[asset] = sums.get(asset, 0) + wallet.free + wallet.locked
        return sums

    def changes(self) -> Iterator[tuple[int, str, int, int]]:
        """Return the rows that have changed since the last `settle` or `undo`."""
        for account, asset in self._before:
            wallet = self._wallets[account, asset]
            yield account, asset, wallet.free, wallet.locked

    def settle(self) -> None:
        """Take the changes for saved."""
        self._before.clear()

    def undo(self) -> None:
        """Take back all changes since the last `settle`."""
        for key, (free, locked) in self._before.items():
            self._wallets[key] = Wallet(free, locked)
        self._before.clear()

    def _move(self, account: int, asset: str, free: int, locked: int) -> None:
        wallet = self._wallets.get((account, asset))
        if wallet is None:
            wallet = self._wallets[account, asset] = Wallet()
            self._assets.setdefault(account, set()).add(asset)
        self._before.setdefault((account, asset), (wallet.free, wallet.locked))
        wallet.free += free
        wallet.locked += locked
        is_sound = account == OUTSIDE or (wallet.free >= 0 and wallet.locked >= 0)
        assert is_sound, f"a wallet fell below zero: account {account} {asset} {wallet}"
        assert abs(wallet.free) + wallet.locked <= UNITS_MAX, f"a wallet is too large: {account} {asset} {wallet}"
