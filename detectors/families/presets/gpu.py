"""NVIDIA's DCGM exporter.

Names in capitals have no suffix that tells a counter: the reading is said here. A job that ends
frees its device, so falling load is no harm by itself. Load and memory are judged where the
exporter says whose they are (label `pod`): where it does not, jobs come to a device and go, and
nobody can tell one that begins from one that leaks. Source: `etc/default-counters.csv` of
NVIDIA/dcgm-exporter.
"""

from detectors.families.family import Family, ignored

FAMILIES = (
    Family(
        "DCGM: error code",
        ("DCGM_FI_DEV_XID_ERRORS",),
        reading="level", direction="above", least_absolute=0.5, entity="node",
    ),
    Family(
        "DCGM: memory errors, replays, violations",
        ("DCGM_FI_DEV_ECC_(SBE|DBE)_(VOL|AGG)_TOTAL", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
         "DCGM_FI_DEV_(UN)?CORRECTABLE_REMAPPED_ROWS",
         "DCGM_FI_DEV_NVLINK_(CRC|REPLAY|RECOVERY)_.*_TOTAL",
         "DCGM_FI_DEV_RETIRED_(SBE|DBE|PENDING)"),
        reading="rate", direction="above", entity="node",
    ),
    Family(
        "DCGM: throttled, nanoseconds",
        ("DCGM_FI_DEV_(THERMAL|POWER|SYNC_BOOST|BOARD_LIMIT|RELIABILITY)_VIOLATION",),
        reading="rate", direction="above", least_absolute=1e6, least_relative=0.5, entity="node",
    ),
    Family(
        "DCGM: memory that cannot be mended",
        ("DCGM_FI_DEV_ROW_REMAP_FAILURE",),
        reading="level", direction="above", least_absolute=0.5, entity="node",
    ),
    Family(
        "DCGM: temperature",
        ("DCGM_FI_DEV_(GPU|MEMORY)_TEMP",),
        reading="level", direction="above", least_absolute=8.0, entity="node",
    ),
    Family(
        "DCGM: load, percent",
        ("DCGM_FI_DEV_GPU_UTIL",), (("pod", ".+"),),
        reading="level", direction="below", least_absolute=30.0, least_relative=0.3,
        ceiling=100.0, entity="pod",
    ),
    Family(
        "DCGM: memory in use, MiB",
        ("DCGM_FI_DEV_FB_USED",), (("pod", ".+"),),
        reading="level", direction="above", least_absolute=1024.0, least_relative=0.1,
        entity="pod",
    ),
    Family(
        "DCGM: power, watts",
        ("DCGM_FI_DEV_POWER_USAGE",),
        reading="level", direction="above", least_absolute=50.0, least_relative=0.2,
        entity="node",
    ),
    Family(
        "DCGM: clock, MHz",
        ("DCGM_FI_DEV_(SM|MEM)_CLOCK",),
        reading="level", direction="below", least_absolute=200.0, least_relative=0.15,
        entity="node",
    ),
    ignored("DCGM: settings, and what others tell already", "DCGM_FI_.*", entity="node"),
)  # fmt: skip
