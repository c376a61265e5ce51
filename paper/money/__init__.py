"""Who owns what, and all that is kept of it: orders, trades and balances in one SQLite file.

Begin with `orders` (what an order is), then `ledger` (all changes, in transactions) and `wallets` (double entry).
It knows nothing of engines, clients and clocks, and imports no other sub-room.
"""
