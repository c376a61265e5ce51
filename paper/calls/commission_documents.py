"""The JSON documents of what the exchange takes of trades, with Binance's names."""

from decimal import Decimal
from typing import Any, Final

from paper.money.commission import DISCOUNT_ASSET, Commission, Terms
from paper.units import UNITS_PER_ONE, Symbol, format_units

Document = dict[str, Any]

_NO_RATES: Final = dict.fromkeys(("maker", "taker", "buyer", "seller"), format_units(0))


def commission(symbol: Symbol, rates: Commission, *, is_bnb_payer: bool, has_bnb_price: bool) -> Document:
    """Return what the exchange takes of a trade in a symbol, and what is left of it for who pays in BNB."""
    return {
        "symbol": symbol.name,
        "standardCommission": rates_of(rates.terms(symbol.name)),
        "specialCommission": _NO_RATES,
        "taxCommission": _NO_RATES,
        "discount": {
            "enabledForAccount": is_bnb_payer,
            "enabledForSymbol": has_bnb_price,
            "discountAsset": DISCOUNT_ASSET,
            "discount": format_units(rates.bnb_rate),
        },
    }


def trade_fee(symbol: Symbol, rates: Commission) -> Document:
    """Return what the exchange takes of a trade, as shares without trailing zeros."""
    terms = rates.terms(symbol.name)
    return {
        "symbol": symbol.name,
        "makerCommission": f"{Decimal(terms.maker_rate) / UNITS_PER_ONE:f}",
        "takerCommission": f"{Decimal(terms.taker_rate) / UNITS_PER_ONE:f}",
    }


def order_commission(told: Document) -> Document:
    """Return what an order would pay, from what `commission` tells of its symbol."""
    kinds = ("standardCommission", "specialCommission", "taxCommission")
    rates = {f"{kind}ForOrder": {role: told[kind][role] for role in ("maker", "taker")} for kind in kinds}
    return {**rates, "discount": told["discount"]}


def rates_of(terms: Terms) -> Document:
    """Return the shares that each side of a trade pays."""
    return _NO_RATES | {"maker": format_units(terms.maker_rate), "taker": format_units(terms.taker_rate)}
