"""The lowest and the highest set bit of a 64-bit word, each one machine instruction."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from engine.kernel import IS_COMPILED, inlined


@intrinsic
def _trailing_zeros(typing_context: Any, word: Any) -> Any:  # noqa: ARG001
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.int64), codegen


@intrinsic
def _leading_zeros(typing_context: Any, word: Any) -> Any:  # noqa: ARG001
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.ctlz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.int64), codegen


if IS_COMPILED:

    @inlined
    def lowest_bit(word: int) -> int:
        """Return the number (0 to 63) of the lowest set bit of a word that is not 0."""
        return _trailing_zeros(word)

    @inlined
    def highest_bit(word: int) -> int:
        """Return the number (0 to 63) of the highest set bit of a word that is not 0."""
        return 63 - _leading_zeros(word)

else:

    def lowest_bit(word: int) -> int:
        """Return the number (0 to 63) of the lowest set bit of a word that is not 0."""
        return (int(word) & -int(word)).bit_length() - 1

    def highest_bit(word: int) -> int:
        """Return the number (0 to 63) of the highest set bit of a word that is not 0."""
        return (int(word) & 0xFFFF_FFFF_FFFF_FFFF).bit_length() - 1


@inlined
def bit(number: int) -> int:
    """Return a word of which only bit `number` is set."""
    return np.int64(1) << number


@inlined
def bits_above(number: int) -> int:
    """Return a word of which all bits above `number` (0 to 63) are set."""
    return np.int64(-2) << number


@inlined
def bits_below(number: int) -> int:
    """Return a word of which all bits below `number` (0 to 63) are set."""
    return ~(np.int64(-1) << number)
