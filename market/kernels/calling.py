"""How a kernel calls a function of the system by its address, and what it gives and gets.

An address is an argument, never a constant: machine code is kept for the next process, and there the function is
elsewhere. Every argument of such a function, and what it returns, is an integer or an address; on the machines for
which this is compiled both are passed as 64 bits are. What an address is good for is known to whoever has found it.
"""
# mypy: disable-error-code="no-any-return, no-untyped-call, call-arg"

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from market.kernels.compiling import IS_COMPILED, inlined

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


@intrinsic
def _call(typing_context: Any, address: Any, arguments: Any) -> Any:  # noqa: ARG001
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        given = [
            context.cast(builder, builder.extract_value(values[1], place), kind, types.int64)
            for place, kind in enumerate(signature.args[1])
        ]
        function = ir.FunctionType(_INT64, [_INT64] * len(given)).as_pointer()
        return builder.call(builder.inttoptr(values[0], function), given)

    return types.int64(types.int64, arguments), codegen


@intrinsic
def _address_of(typing_context: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(builder.gep(data, [values[1]]), _INT64)

    return types.int64(array, types.int64), codegen


@intrinsic
def _int_at(typing_context: Any, address: Any) -> Any:  # noqa: ARG001
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001
        found = builder.load(builder.inttoptr(values[0], _INT32.as_pointer()))
        return builder.sext(found, _INT64)

    return types.int64(types.int64), codegen


if IS_COMPILED:

    @inlined
    def call_long(address: int, arguments: tuple[int, ...]) -> int:
        """Call what returns 64 bits: a size, an address."""
        return _call(address, arguments)

    @inlined
    def call_int(address: int, arguments: tuple[int, ...]) -> int:
        """Call what returns an `int`: of 64 bits the upper half is then anything."""
        return _call(address, arguments) << 32 >> 32

    @inlined
    def address_of(array: npt.NDArray[Any], index: int) -> int:
        """Return where an element of an array is, which must not be resized while somebody has that."""
        return _address_of(array, np.int64(index))

    @inlined
    def int_at(address: int) -> int:
        """Return the `int` at an address."""
        return _int_at(address)

else:

    def call_long(address: int, arguments: tuple[int, ...]) -> int:
        """Call what returns 64 bits: a size, an address."""
        return _called(ctypes.c_int64, address, arguments)

    def call_int(address: int, arguments: tuple[int, ...]) -> int:
        """Call what returns an `int`."""
        return _called(ctypes.c_int, address, arguments)

    def address_of(array: npt.NDArray[Any], index: int) -> int:
        """Return where an element of an array is, which must not be resized while somebody has that."""
        return int(array.ctypes.data + index * array.itemsize)

    def int_at(address: int) -> int:
        """Return the `int` at an address."""
        return ctypes.c_int.from_address(int(address)).value

    def _called(result: Any, address: int, arguments: tuple[int, ...]) -> int:
        function = ctypes.CFUNCTYPE(result, *[ctypes.c_int64] * len(arguments))(int(address))
        return int(function(*map(int, arguments)))
