"""The decorator of compiled functions: numba, cached on disk, without the interpreter's lock.

Their parameters carry no types: numba infers them, and what they are stands in the docstrings.
Neither `ingest` nor `detectors` may import the other: this file stands in both, letter for letter.
"""

import marshal
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.registry import CPUDispatcher

Function = TypeVar("Function", bound=Callable[..., Any])

_NUMBERS = (bool, int, float, str, bytes, np.generic)


def compiled(function: Function) -> Function:
    """Compile at the first call, in nopython mode.

    What it calls, and the numbers, arrays and named tuples that it uses, are compiled into it. They
    are to be imported by name, at the beginning of its module: then what is kept on disk is left
    when they change.

    A read-only install without a writable home has nowhere to cache: numba raises then, and the
    function is compiled anew in each process.
    """
    try:
        kernel = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        kernel = None
    kept = _kept(kernel)
    if kept is None:
        return cast("Function", numba.njit(nogil=True)(function))
    # Numba's own stamp is of the function's file alone, and it lets nobody add to it but so.
    kept._source_stamp = (kept._source_stamp, *_used(function))
    return cast("Function", kernel)


def _kept(kernel: object) -> Any | None:
    """Where numba keeps it and says of which source; None = nowhere that we know."""
    kept = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    return kept if hasattr(kept, "_source_stamp") else None


def _used(function: Callable[..., Any]) -> Iterator[tuple[str, object]]:
    """What stands in its module by now, and what each is made of."""
    for name, value in sorted(function.__globals__.items()):
        if name.startswith("__"):
            continue
        told = _told(value)
        if told is not None:
            yield name, told


def _told(value: object) -> object:
    """A text or texts that are others where a kernel or a number is; None = it is neither.

    Of a long array `repr` leaves the middle out. An intrinsic is known by its code.
    """
    if isinstance(value, CPUDispatcher):
        kept = _kept(value)
        return None if kept is None else kept._source_stamp
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, tuple):
        return tuple(_told(one) or repr(one) for one in value)
    if isinstance(value, type):
        return getattr(value, "_fields", None)
    code = getattr(getattr(value, "__wrapped__", None), "__code__", None)
    if isinstance(code, CodeType):
        # Version 2 has no references, which depend on who else holds an object.
        return marshal.dumps(code, 2)
    return repr(value) if isinstance(value, _NUMBERS) else None
