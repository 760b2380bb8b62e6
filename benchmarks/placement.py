"""Where to submit jobs that need GPUs: following the advice against submitting at once.

    uv run python benchmarks/placement.py [--seeds 1 2 3 4 5] [--no-datasets]
        [--a-day 118] [--json]

Four made-up pools of 32 to 64 GPUs in three time zones (`benchmarks/gpu_fleet.py`), ten days of
jobs of 1 to 32 GPUs, half of which read a data set, and sweeps of many at once. In the first four
days everybody submits at home; then every job is placed

* at *home*: the queue of one's own cluster, or the first that fits;
* where it is *least loaded* now: GPUs in use and waited for, as a share of what there is;
* by *advice*: the first place of `detectors.placement`, from what has been scraped, once a minute,
  and what people say of how long their own job takes (which is off by 30 %);
* by advice *at night*, too: later, where it says that this does.

Waiting is from when a job was ready to when it has its GPUs, the wait for the night with it. Idle
GPU hours are those while a job waits elsewhere that would fit. Figures are medians of the seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks import gpu_fleet as world  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from detectors.placement import Chances, Dataset, Job, Pool, advise, gangs, learn  # noqa: E402

WARM_UP, END = 96.0, 240.0
A_DAY = 118.0
FIRST_HOUR = 480_000.0  # hours since 1970: a Tuesday, 00:00
WAYS = 60
RIVALS = ("home", "least loaded")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--no-datasets", action="store_true", help="no job reads a data set")
    parser.add_argument("--a-day", type=float, default=A_DAY, help="jobs of all people")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    runs = [all_policies(seed, options.a_day, not options.no_datasets) for seed in options.seeds]
    cases = []
    for name in ("advice", "at night"):
        for rival in RIVALS:
            for what, unit in FIGURES.items():
                ours = float(np.median([run[name][what] for run in runs]))
                theirs = float(np.median([run[rival][what] for run in runs]))
                cases.append(Case(f"{name}: {what}", unit, ours, theirs, rival))
    for name in ("advice", "at night"):
        for what in COVERAGE:
            told = float(np.median([run[name][what] for run in runs]))
            if not np.isnan(told):
                cases.append(Case(f"{name}: {what}", "share", told))
    emit(cases, options.json)


FIGURES = {
    "mean wait": "hours",
    "95th percentile of waits": "hours",
    "mean wait of jobs without a deadline": "hours",
    "mean wait and transfer": "hours",
    "GPUs idle while a job waits that would fit": "GPU hours",
    "GPUs held for transfers": "GPU hours",
    "missed deadlines": "share",
}


COVERAGE = (
    "80 % intervals of waits held, all jobs",
    "80 % intervals of waits held, jobs that were told that they may wait",
    "chance of a deadline, told less met",
)


def all_policies(seed: int, a_day: float, datasets: bool) -> dict[str, dict[str, float]]:
    """The same jobs four times."""
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(0.3, 3.0, 10) * world.TB
    jobs = world.made_up_jobs(END + 12.0, a_day, rng)
    if not datasets:
        jobs = [replace(job, dataset=None) for job in jobs]
    policies: dict[str, Callable[[], object]] = {
        "home": lambda: home,
        "least loaded": lambda: least_loaded,
        "advice": lambda: Advised(at_night=False),
        "at night": lambda: Advised(at_night=True),
    }
    return {name: play(jobs, sizes, make()) for name, make in policies.items()}


def play(jobs, sizes, policy) -> dict[str, float]:
    fleet, own = world.Fleet(sizes), [replace(job) for job in jobs]

    def choose(fleet, job, now):
        return (home if now < WARM_UP else policy)(fleet, job, now)

    fleet.run(own, choose, (WARM_UP, END))
    judged = [job for job in own if WARM_UP <= job.ready < END]
    wait = np.array([job.began - job.ready for job in judged])
    lost = wait + np.array([job.transfer for job in judged])
    due = [job.ended > job.deadline for job in judged if job.deadline is not None]
    found = dict(
        zip(
            FIGURES,
            (
                wait.mean(),
                np.quantile(wait, 0.95),
                wait[[job.deadline is None for job in judged]].mean(),
                lost.mean(),
                fleet.wanted_idle,
                sum(job.transfer * job.gpus for job in judged),
                np.mean(due),
            ),
            strict=True,
        )
    )
    return found | (policy.coverage() if isinstance(policy, Advised) else {})


def home(fleet, job, now):
    fits = fleet.fits(job)
    return (job.home if job.home in fits else fits[0]), now


def least_loaded(fleet, job, now):
    def load(number):
        pool = fleet.pools[number]
        wanted = sum(waits.gpus for waits in pool.queue) + pool.spec.capacity - pool.free
        return wanted / pool.spec.capacity

    return min(fleet.fits(job), key=load), now


class Advised:
    """Asks the advice with what has been scraped."""

    def __init__(self, at_night: bool) -> None:
        self.at_night = at_night
        self.habits: dict[int, tuple[int, object]] = {}
        self.told: list[tuple[world.Job, float, float, float, float]] = []
        self.slept: set[int] = set()

    def __call__(self, fleet, job, now):
        """Pool and hour."""
        seen = np.floor(now / world.SCRAPE) * world.SCRAPE
        pools = [self._pool(fleet, number, seen) for number in range(len(fleet.pools))]
        name = None if job.dataset is None else str(job.dataset)
        left = None if job.deadline is None else max(job.deadline - now, 0.01)
        if not self.at_night:
            left = None
        asked = Job(job.gpus, job.said, job.memory, name, left)
        advice = advise(pools, asked, FIRST_HOUR + now, Chances(ways=WAYS))
        if not advice.places:
            return home(fleet, job, now)
        if self.at_night and advice.later is not None and id(job) not in self.slept:
            self.slept.add(id(job))
            return 0, now + advice.later.hours
        best = advice.places[0]
        self.told.append((job, now, best.wait[0], best.wait[2], best.in_time))
        return int(best.pool.name[1]), now

    def _pool(self, fleet, number, seen) -> Pool:
        state = fleet.pools[number]
        spec = state.spec
        upto = int(np.searchsorted(state.time, seen + 1e-9, side="right"))
        time = np.array(state.time[:upto]) + FIRST_HOUR
        found = gangs(time, np.array(state.allocated[:upto]))
        counts = [told for told in state.waiting if told[0] <= seen + 1e-9]
        hour = int(seen)
        if self.habits.get(number, (-1, None))[0] != hour:
            times = np.array([told[0] for told in state.waiting])
            at_hours = np.searchsorted(times, np.arange(hour + 1) + 1e-9, side="right") - 1
            waiting = np.array([state.waiting[one][1] for one in at_hours], float)
            now = FIRST_HOUR + seen
            self.habits[number] = hour, learn(found, FIRST_HOUR, now, waiting)
        running = found.running
        return Pool(
            name=(spec.name, str(number), ""),
            capacity=spec.capacity,
            running=found.size[running],
            elapsed=FIRST_HOUR + seen - found.start[running],
            waiting=counts[-1][1],
            waiting_gpus=counts[-1][2] if spec.tells_gpus and counts[-1][1] else np.nan,
            memory=spec.memory,
            strict=spec.strict,
            datasets={
                str(one): Dataset(size, state.cached.get(one, 0.0), world.BANDWIDTH)
                for one, size in enumerate(fleet.datasets.tolist())
            },
            habits=self.habits[number][1],
        )

    def coverage(self) -> dict[str, float]:
        """How many waits were within the interval that was told, to a scrape."""
        told = [one for one in self.told if one[0].ready < END]
        low, high, wait = np.array([(one[2], one[3], one[0].began - one[1]) for one in told]).T
        held = (low - world.SCRAPE <= wait) & (wait <= high + world.SCRAPE)
        off = [
            one[4] - (one[0].ended <= one[0].deadline)
            for one in told
            if one[0].deadline is not None and not np.isnan(one[4])
        ]
        figures = held.mean(), held[high > 0.0].mean(), np.mean(off) if off else np.nan
        return dict(zip(COVERAGE, map(float, figures), strict=True))


if __name__ == "__main__":
    main()
