"""Tier 0 against every law."""

import time

import pytest

from detectors import build
from detectors.checks import laws


@pytest.mark.parametrize(
    "law", [pytest.param(check, id=law) for law, check in laws(time.process_time)]
)
def test_law(law):
    law(lambda: build("online_level"))
