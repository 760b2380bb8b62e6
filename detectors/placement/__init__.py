"""Where and when a job that needs GPUs should be submitted.

`gangs` reads jobs off how many GPUs of a pool are allocated; `learn` has from them how long jobs
run and when they come; `advise` plays the queue of each pool on from now, many times over, with a
job at its end, and ranks the pools by when it would be done.
"""

from detectors.placement.advise import Answer, Place, advise
from detectors.placement.gangs import Gangs, gangs
from detectors.placement.habits import Habits, learn
from detectors.placement.later import Later
from detectors.placement.model import Dataset, Job, Pool
from detectors.placement.refusal import Refusal
from detectors.placement.trial import AHEAD, HORIZON, Chances

__all__ = [
    "AHEAD",
    "HORIZON",
    "Answer",
    "Chances",
    "Dataset",
    "Gangs",
    "Habits",
    "Job",
    "Later",
    "Place",
    "Pool",
    "Refusal",
    "advise",
    "gangs",
    "learn",
]
