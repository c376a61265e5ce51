"""What single machine instructions do and numba has no name for: the ends of a word's set bits, fetching ahead."""
# mypy: disable-error-code="no-any-return, return-value, call-arg, no-untyped-call"

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros
from numba.extending import intrinsic

from market.kernels.compiling import IS_COMPILED, inlined
from market.kernels.rows import ROW_WIDTH, Int64Array, Uint32Array

_NOT_NEGATIVE = (1 << 31) - 1


@intrinsic
def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        int32 = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [address.type, int32, int32, int32])
        function = get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        builder.call(function, [address, int32(0), int32(3), int32(1)])  # to read, to keep, data
        return context.get_dummy_value()

    return types.none(array, types.int64), codegen


if IS_COMPILED:

    @inlined
    def lowest_bit(word: int) -> int:
        """Return the number (0 to 63) of the lowest set bit of a word that is not 0."""
        return trailing_zeros(word)

    @inlined
    def highest_bit(word: int) -> int:
        """Return the number (0 to 63) of the highest set bit of a word that is not 0."""
        return 63 - leading_zeros(word)

    @inlined
    def prefetch(array: Int64Array | Uint32Array, index: int) -> None:
        """Have the cache line of an element fetched while other work goes on."""
        _prefetch(array, index)

else:

    def lowest_bit(word: int) -> int:
        """Return the number (0 to 63) of the lowest set bit of a word that is not 0."""
        return (int(word) & -int(word)).bit_length() - 1

    def highest_bit(word: int) -> int:
        """Return the number (0 to 63) of the highest set bit of a word that is not 0."""
        return (int(word) & 0xFFFF_FFFF_FFFF_FFFF).bit_length() - 1

    def prefetch(array: Int64Array | Uint32Array, index: int) -> None:
        """Do nothing: a fetch ahead changes no value."""


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


@inlined
def signed(index: int) -> int:
    """Return a 32-bit index as an ordinary 64-bit number: numba makes floats of mixtures."""
    return np.int64(index)


@inlined
def row_at(rows: Int64Array, position: int) -> int:
    """Return where the row of a sequence begins in a ring's flat rows.

    The constant changes nothing but what the compiler knows: an index that cannot be negative needs no wrap-around.
    """
    return (position & (len(rows) // ROW_WIDTH - 1) & _NOT_NEGATIVE) * ROW_WIDTH
