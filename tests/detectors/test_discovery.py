import numpy as np
import pytest
from scipy.stats import norm

from detectors.discovery import most_relief, relief


def by_hand(p, rate):
    """Largest rate at which the procedure of Benjamini and Yekutieli rejects, of one column."""
    n = len(p)
    c = sum(1 / i for i in range(1, n + 1))
    ranked = np.sort(p)
    passing = [k for k in range(1, n + 1) if ranked[k - 1] <= k * (rate * n) / (n * c)]
    return max(1.0, max(passing, default=0) / c)


@pytest.mark.parametrize("abnormal", [0, 1, 5, 50, 500])
def test_it_is_the_published_procedure(abnormal):
    rng = np.random.default_rng(abnormal)
    p = rng.uniform(size=1000)
    p[:abnormal] = 10.0 ** rng.uniform(-9.0, -3.0, abnormal)
    rate = 1e-5
    found = relief(np.zeros(1000, np.int64), p / rate, np.array([1000]))[0]
    assert found == pytest.approx(by_hand(p, rate), rel=1e-3)


def test_columns_do_not_know_of_each_other():
    rng = np.random.default_rng(1)
    rarity = 10.0 ** rng.uniform(-3.0, 3.0, (4, 300))
    columns = np.repeat(np.arange(4), 300)
    shuffled = rng.permutation(columns.size)
    whole = relief(columns[shuffled], rarity.ravel()[shuffled], np.full(4, 300))
    alone = [relief(np.zeros(300, np.int64), row, np.array([300]))[0] for row in rarity]
    assert len(set(alone)) > 1
    assert whole.tolist() == [alone[column] for column in columns[shuffled]]


def test_noise_alone_brings_down_nothing():
    """Of a day of columns with nothing wrong, as many as the rate grants have a false row."""
    rng = np.random.default_rng(2)
    n_rows, rate, n_columns = 2000, 1e-5, 1440
    p = rng.uniform(size=(n_columns, n_rows))
    columns = np.repeat(np.arange(n_columns), n_rows)
    times = relief(columns, p.ravel() / rate, np.full(n_columns, n_rows)).reshape(p.shape)
    false = (p <= rate * times).any(axis=1).sum()
    # 28.8 are expected of Bonferroni alone.
    assert false <= 44
    assert times.max() < 1.5


def test_of_what_is_told_few_are_false_though_all_move_together():
    """Half the columns have 200 rows of 2,000 that are abnormal; noise is shared by all rows."""
    rng = np.random.default_rng(3)
    told = false = 0
    for _ in range(200):
        z = 0.7 * rng.normal() + np.sqrt(1 - 0.49) * rng.normal(size=2000)
        z[:200] += 5.0
        p = norm.sf(z)
        rate = 10.0 / 1440 / 2000
        times = relief(np.zeros(2000, np.int64), p / rate, np.array([2000]))[0]
        passed = p <= rate * times
        told += passed.sum()
        false += passed[200:].sum()
    assert told > 0
    assert false / told < 10.0 / 1440


def test_what_can_be_no_discovery_may_be_left_out():
    rng = np.random.default_rng(4)
    rarity = 10.0 ** rng.uniform(-3.0, 4.0, 500)
    whole = relief(np.zeros(500, np.int64), rarity, np.array([500]))
    few = rarity[rarity <= most_relief(500)]
    assert len(few) < 500
    assert relief(np.zeros(len(few), np.int64), few, np.array([500]))[0] == whole[0] > 1.0


def test_nothing_to_tell():
    assert relief(np.empty(0, np.int64), np.empty(0), np.array([10])).tolist() == []
    assert most_relief(0) == most_relief(1) == 1.0
