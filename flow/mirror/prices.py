"""A set of prices for each side, in their order, for kernels.

A price is a bit, and above 64 bits there is one that says whether any of them is set. So the next price on either side
is found in a few steps, however far away it is.
"""
# mypy: disable-error-code="no-any-return"

from typing import Final

from market.kernels.bits import bit, bits_above, bits_below, highest_bit, lowest_bit
from market.kernels.compiling import routine
from market.kernels.rows import Int64Array
from market.kernels.sparse import sparse_zeros
from market.limits import PRICE_TICKS_MAX

NO_PRICE: Final = 0

_HEIGHTS: Final = 5  # 64 ** 5 prices are more than enough
_WORDS: Final = tuple((PRICE_TICKS_MAX >> 6 * (height + 1)) + 1 for height in range(_HEIGHTS))
_BEGINS: Final = tuple(sum(_WORDS[:height]) for height in range(_HEIGHTS))
_SIZE: Final = sum(_WORDS)
assert _WORDS[-1] == 1, "the topmost word is alone"


def make_prices() -> Int64Array:
    """Return the two sets, empty."""
    return sparse_zeros(2 * _SIZE)


@routine
def add_price(prices: Int64Array, side: int, price: int) -> None:
    """Put a price in."""
    place, first = price, side * _SIZE
    for height in range(_HEIGHTS):
        word = first + _BEGINS[height] + (place >> 6)
        was_empty = prices[word] == 0
        prices[word] |= bit(place & 63)
        if not was_empty:
            return
        place >>= 6


@routine
def remove_price(prices: Int64Array, side: int, price: int) -> None:
    """Take a price out."""
    place, first = price, side * _SIZE
    for height in range(_HEIGHTS):
        word = first + _BEGINS[height] + (place >> 6)
        prices[word] &= ~bit(place & 63)
        if prices[word] != 0:
            return
        place >>= 6


@routine
def price_behind(prices: Int64Array, side: int, price: int, upwards: bool) -> int:
    """Return the nearest price above, or below, one that need not be in the set; NO_PRICE if there is none."""
    place, first = price, side * _SIZE
    for height in range(_HEIGHTS):
        word = prices[first + _BEGINS[height] + (place >> 6)]
        word &= bits_above(place & 63) if upwards else bits_below(place & 63)
        if word != 0:
            place = (place & ~63) | (lowest_bit(word) if upwards else highest_bit(word))
            for below in range(height - 1, -1, -1):
                word = prices[first + _BEGINS[below] + place]
                place = (place << 6) | (lowest_bit(word) if upwards else highest_bit(word))
            return place
        place >>= 6
    return NO_PRICE
