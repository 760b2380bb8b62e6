"""Amounts of CPU and memory: rounded up, for people, and as Kubernetes writes them."""

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

MIB = 1024.0**2
GIB = 1024.0**3
MILLI = 1e-3

_TINY = 1e-9
"""What comes of rounding is not rounded up again."""


def whole_millicores(cores: npt.ArrayLike) -> Float64:
    """Cores, rounded up to a thousandth.

    >>> whole_millicores([0.2501, 0.25]).tolist()
    [0.251, 0.25]
    """
    told = np.asarray(cores, dtype=np.float64)
    return np.round(np.ceil(told / MILLI - _TINY) * MILLI, 3)


def whole_mib(size: npt.ArrayLike) -> Float64:
    """Bytes, rounded up to a MiB.

    >>> (whole_mib([1.5 * MIB]) / MIB).tolist()
    [2.0]
    """
    told = np.asarray(size, dtype=np.float64)
    return np.ceil(told / MIB - _TINY) * MIB


def cores_text(cores: float | None) -> str:
    """For people.

    >>> cores_text(0.25), cores_text(1.0), cores_text(None)
    ('0.25 cores', '1 core', 'none')
    """
    if cores is None:
        return "none"
    return f"{cores:.3g} core{'' if cores == 1.0 else 's'}"


def bytes_text(size: float | None) -> str:
    """For people.

    >>> bytes_text(512 * MIB), bytes_text(1.5 * GIB), bytes_text(None)
    ('512 MiB', '1.5 GiB', 'none')
    """
    if size is None:
        return "none"
    if abs(size) >= GIB:
        return f"{size / GIB:.3g} GiB"
    return f"{size / MIB:.0f} MiB"


def cpu_quantity(cores: float) -> str:
    """As Kubernetes writes it.

    >>> cpu_quantity(0.25), cpu_quantity(2.0)
    ('250m', '2')
    """
    milli = round(cores / MILLI)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def memory_quantity(size: float) -> str:
    """As Kubernetes writes it; whole MiB.

    >>> memory_quantity(512 * MIB), memory_quantity(2 * GIB)
    ('512Mi', '2Gi')
    """
    mib = int(whole_mib(size) / MIB)
    return f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"
