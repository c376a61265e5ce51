"""What the exchange takes of a fill, and in which asset."""

from collections.abc import Callable

from paper.money.commission import DISCOUNT_ASSET, Commission
from paper.money.ledger import Ledger
from paper.money.orders import Order
from paper.units import UNITS_PER_ONE, Symbol

BnbPrice = Callable[[int, Symbol], int | None]


class Fees:
    """The fees of all fills.

    `bnb_price` tells what one BNB costs in the quote asset of a symbol, in units, for the fees of an account; None if
    the account does not pay in BNB, or nobody knows the price.
    """

    def __init__(self, ledger: Ledger, commission: Commission, bnb_price: BnbPrice) -> None:
        self._ledger = ledger
        self._commission = commission
        self._bnb_price = bnb_price

    def of(self, order: Order, base_units: int, quote_units: int, *, is_maker: bool) -> tuple[str, int]:
        """Return the asset and the units of the fee on a fill; what was received is the account's already."""
        symbol, rate = order.symbol, order.terms.rate(is_maker=is_maker)
        if rate and (price_units := self._bnb_price(order.account, symbol)):
            units = self._commission.bnb_units(quote_units, rate, price_units)
            if units <= self._ledger.wallets.free(order.account, DISCOUNT_ASSET):
                return DISCOUNT_ASSET, units
        if order.terms.is_in_base(order.side):
            return symbol.base, base_units * rate // UNITS_PER_ONE
        return symbol.quote, quote_units * rate // UNITS_PER_ONE
