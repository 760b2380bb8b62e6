"""Every error of ours has its status; only those that no request can cause may be 500."""

import pytest

import ingest.simulation.errors
import lake.errors
import orchestration.errors
from api.errors import ServerError
from api.problems import STATUS, problem, status_of

ROOTS = (lake.errors.LakeError, ingest.errors.IngestError, orchestration.errors.OrchestrationError)

# Of pulls and maintenance, which are Dagster's and the worker's; of settings, files and folders
# named on the command line; of what a server meets when it starts; of our own writing; of the demo.
NOT_OF_REQUESTS = {
    "AdviceError",
    "BacktestError",
    "CausesError",
    "ChoosingError",
    "DetectFileError",
    "FileFormatError",
    "FileUnknownError",
    "ForecastFileError",
    "LakeFolderError",
    "LeaseHeldError",
    "MaintenanceError",
    "NewerLakeError",
    "PullError",
    "SchemaError",
    "SettingsError",
    "StoreOptionError",
    "UnknownNameError",
    "UnusableRangeError",
}


def leaves(kind):
    below = kind.__subclasses__()
    return {leaf for one in below for leaf in leaves(one)} if below else {kind}


LEAVES = sorted({leaf for root in ROOTS for leaf in leaves(root)}, key=lambda leaf: leaf.__name__)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_a_leaf_has_a_status(kind):
    status, title = status_of(kind.__new__(kind))
    assert (status == 500) == (kind.__name__ in NOT_OF_REQUESTS)
    assert title == title.lower()
    assert 400 <= status < 600


def test_the_list_names_only_what_is_there():
    assert {kind.__name__ for kind in LEAVES} >= NOT_OF_REQUESTS
    assert len(LEAVES) > 20


def test_no_line_of_the_table_is_hidden_by_another():
    for kind, line in STATUS.items():
        assert status_of(kind.__new__(kind)) == line


@pytest.mark.parametrize("error", [ValueError("x"), ServerError("x"), KeyError("x")])
def test_other_errors_are_internal(error):
    assert status_of(error) == (500, "internal error")


@pytest.mark.parametrize(
    ("status", "again"), [(400, False), (429, True), (503, True), (500, False)]
)
def test_only_what_may_succeed_later_says_when(status, again):
    assert ("retry-after" in problem(status, "a title", "why").headers) is again
