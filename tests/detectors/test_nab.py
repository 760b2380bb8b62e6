import math

import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.evaluation import LabelledScore, nab_score


def sigmoid(position):
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


def by_the_book(files, threshold):
    """The benchmark's own words, row by row, at one threshold."""
    total, perfect = 0.0, 0
    for file in files:
        best = [-1.0] * len(file.windows)
        perfect += len(file.windows)
        for row in range(file.probation, len(file.score)):
            if file.score[row] < threshold:
                continue
            inside = [k for k, (a, b) in enumerate(file.windows) if a <= row <= b]
            if inside:
                a, b = file.windows[inside[0]]
                worth = sigmoid(-(b - row + 1) / (b - a + 1)) / sigmoid(-1.0)
                best[inside[0]] = max(best[inside[0]], worth)
                continue
            past = [(a, b) for a, b in file.windows if b < row]
            if past:
                a, b = past[-1]
                total += 0.11 * sigmoid((row - b) / (b - a))
            else:
                total -= 0.11
        total += sum(best)
    return 100 * (total + perfect) / (2 * perfect)


def corpus(seed):
    rng = np.random.default_rng(seed)
    files = []
    for n in (300, 500):
        score = rng.exponential(size=n).round(1)
        windows = [(60, 90), (150, 151), (200, 260)]
        for a, b in windows:
            score[a : b + 1] += rng.uniform(0, 1.5)
        files.append(LabelledScore(score, windows, 45))
    files.append(LabelledScore(rng.exponential(size=200).round(1), [], 30))
    return files


@pytest.mark.parametrize("seed", range(5))
def test_is_the_best_of_all_thresholds_by_the_book(seed):
    files = corpus(seed)
    found = nab_score(files)
    levels = np.unique(np.concatenate([file.score for file in files]))
    wanted = max(by_the_book(files, level) for level in levels)
    assert found.score == pytest.approx(max(wanted, 0.0))
    if wanted > 0:
        assert by_the_book(files, found.threshold) == pytest.approx(found.score)


def test_silence_scores_nothing_and_noise_no_less():
    score = np.zeros(400)
    score[:350] = 1.0
    found = nab_score([LabelledScore(score, [(360, 380)], 60)])
    assert (found.score, found.threshold) == (0.0, math.inf)


def test_nothing_but_probation():
    found = nab_score([LabelledScore([1.0, 1.0], [(0, 1)], 2)])
    assert (found.score, found.threshold) == (0.0, math.inf)


def test_a_level_that_lasts_pays_for_every_row():
    alarm, level = np.zeros(400), np.zeros(400)
    alarm[100] = alarm[220] = level[100] = 1.0
    level[220:300] = 1.0
    one = nab_score([LabelledScore(alarm, [(100, 120)], 60)])
    many = nab_score([LabelledScore(level, [(100, 120)], 60)])
    assert one.score == pytest.approx(100 * (2 - 0.11) / 2)
    assert many.score == 0.0


@pytest.mark.parametrize(
    "files",
    [
        [],
        [LabelledScore([0.0], [], 0)],
        [LabelledScore([0.0, float("nan")], [(0, 1)], 0)],
        [LabelledScore([0.0, float("inf")], [(0, 1)], 0)],
        [LabelledScore([0.0, 1.0], [(1, 2)], 0)],
        [LabelledScore([0.0, 1.0], [(1, 0)], 0)],
    ],
)
def test_refuses(files):
    with pytest.raises(InvalidParameterError):
        nab_score(files)
