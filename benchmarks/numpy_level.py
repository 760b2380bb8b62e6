"""One tick of tier 0 in plain numpy: the recurrence of `detectors.online`, an array at a time.

The rival of `benchmarks/detection.py`. It does the same in the same order, from the same settings,
in float64, and writes the same fields: what it finds is compared before it is timed.
"""

import numpy as np

from detectors.memory.kernels import FARTHEST
from detectors.memory.scale import ZERO_CHANGE
from detectors.online import recurrence as r
from detectors.online.fields import FIELDS
from detectors.online.rule import LEAST_SHAPE, MOST_SHAPE, Gains
from detectors.thresholds import TAIL_FRACTION


def tick(fields: np.ndarray, values: np.ndarray, gains: Gains) -> np.ndarray:
    """Move series that have all seen enough, by values that are all there."""
    was = dict(zip(FIELDS, fields.astype(np.float64), strict=True))
    x = np.clip(values.astype(np.float64), -r.LARGEST, r.LARGEST)
    floor = np.where(
        was["magnitude"] > 0.0, gains.least_change * was["magnitude"], np.float64(ZERO_CHANGE)
    )
    scale = np.maximum(was["noise"], floor)
    unit = gains.root * scale
    now = means(was, x, scale, unit, gains)
    off, gap = np.abs(x - was["fast"]), np.abs(narrow(now["fast"]) - was["level"])
    jump = np.minimum(off / limit(was, "jump", was["jump_reach"], scale, floor, gains), FARTHEST)
    shift = np.minimum(gap / limit(was, "shift", gains.shift_reach, unit, floor, gains), FARTHEST)
    score = np.maximum(jump, shift)
    learns = (score < 1.0) | (was["run"] < r.TAUGHT)
    known = was["seen"] - gains.short
    now |= tail(was, "jump", off, scale, known, 1.0, learns, gains)
    now |= tail(was, "shift", gap, unit, known, r.SPELL * gains.short, learns, gains)
    for test, found in (("jump", jump), ("shift", shift)):
        lift = 1.0 + gains.lift_kept * (was[f"{test}_lift"] - 1.0)
        raised = lift * np.exp(r.LIFT_STEP + r.LIFT_PART * np.log(np.maximum(found, 1.0)))
        now[f"{test}_lift"] = np.where((was["run"] == 0.0) & (found >= 1.0), raised, lift)
    count(now, was, score, gains)
    for row, name in enumerate(FIELDS):
        fields[row] = now[name]
    return score.astype(np.float32)


def narrow(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32).astype(np.float64)


def limit(was, test, reach, unit, floor, gains):
    passed = was[f"{test}_level"] + was[f"{test}_excess"] * reach
    return gains.margin * np.maximum(passed * unit, floor) * was[f"{test}_lift"]


def means(was, x, scale, unit, gains):
    bound = r.CLIP * scale
    off = x - was["fast"]
    step = np.clip(off, -bound, bound)
    calm = np.abs(was["fast"] + step)
    learns = was["run"] < r.TAUGHT
    wide = bound + was["shift_level"] * unit
    drift = np.clip(x - was["level"], -wide, wide)
    gain = np.where(was["magnitude"] > 0.0, gains.long_gain, 1.0)
    grown = was["magnitude"] + gain * (calm - was["magnitude"])
    cut = np.minimum(np.abs(off), r.NOISE_CLIP * scale)
    noise = was["noise"] + gains.long_gain * (r.TO_DEVIATION * cut - was["noise"])
    lone = np.abs(x - was["recent"])
    return {
        "seen": was["seen"] + 1.0,
        "fast": was["fast"] + gains.short_gain * step,
        "level": np.where(learns, was["level"] + gains.long_gain * drift, was["level"]),
        "magnitude": np.where(learns & (calm > 0.0), grown, was["magnitude"]),
        "noise": np.where(learns, noise, was["noise"]),
        "recent": was["recent"] + gains.short_gain * (x - was["recent"]),
        "recent_noise": was["recent_noise"] + gains.short_gain * (lone - was["recent_noise"]),
    }


def tail(was, test, off, unit, known, spell, learns, gains):
    level, excess = was[f"{test}_level"], was[f"{test}_excess"]
    part = np.maximum(r.LEVEL_START / (known + r.LEVEL_LAG * spell), r.LEVEL_STEP)
    over = learns & (off > level * unit)
    gain = np.maximum(1.0 / (TAIL_FRACTION * known + r.EXCESS_LAG * spell), r.EXCESS_STEP / spell)
    past = np.minimum(off / unit - level, r.EXCESS_CLIP * excess)
    down = np.maximum(level * (1.0 - part * TAIL_FRACTION), r.LEAST_LEVEL)
    up = level * (1.0 + part * (1.0 - TAIL_FRACTION))
    grown = narrow(np.maximum(excess + gain * (past - excess), r.LEAST_EXCESS))
    now = {
        f"{test}_level": np.where(over, up, np.where(learns, down, level)),
        f"{test}_excess": np.where(over, grown, excess),
    }
    if test == "shift":
        return now
    square = was["jump_square"] + gain * (past * past - was["jump_square"])
    mean = grown * grown
    shape = 0.5 - 0.5 * mean / np.maximum(square - mean, r.TINY)
    s = np.clip(shape, LEAST_SHAPE, MOST_SHAPE)
    a, b, c, d, e = gains.reach
    reach = a + s * (b + s * (c + s * (d + s * e)))
    return now | {
        "jump_square": np.where(over, square, was["jump_square"]),
        "jump_reach": np.where(over, reach, was["jump_reach"]),
    }


def count(now, was, score, gains):
    run = np.where(score >= 1.0, was["run"] + 1.0, np.maximum(was["run"] - 1.0, 0.0))
    lasts = run >= gains.relearn
    for name in ("fast", "level"):
        now[name] = np.where(lasts, now["recent"], now[name])
    now["noise"] = np.where(lasts, r.TO_DEVIATION * now["recent_noise"], now["noise"])
    there = lasts & (now["recent"] != 0.0)
    now["magnitude"] = np.where(there, np.abs(now["recent"]), now["magnitude"])
    now["run"] = np.where(lasts, 0.0, run)
