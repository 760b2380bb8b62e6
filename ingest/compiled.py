"""The decorator of compiled functions: numba, cached on disk, without the interpreter's lock.

Their parameters carry no types: numba infers them, and what they are stands in the docstrings.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile at the first call.

    A read-only install without a writable home has nowhere to cache: numba raises then, and the
    function is compiled anew in each process.
    """
    try:
        return cast("Function", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast("Function", numba.njit(nogil=True)(function))
