"""From what a detector says to what may be told: that which is unusual and does harm."""

from detectors import Panel, Scores
from detectors.families import HARMLESS_SCORE, gate, judged
from detectors.season import Season, Usual, damp, raised
from orchestration.steps.model import Model


class Judge:
    """Says which of a panel's scores reach the threshold: those that are unusual and do harm.

    What it knows of the panel is found once, whatever scores it is asked about.

    Args:
        model: fitted.
        panel: with `model.context` columns before those of interest.
    """

    def __init__(self, model: Model, panel: Panel) -> None:
        self.fit = model.detector.calibration_of(panel)
        self._model = model
        self._panel = panel
        # What is scored, and of that what is of interest.
        self._scored = panel.from_column(model.before)
        self.seen = panel.from_column(model.context)
        self._p_harmless = self.fit.p_values_at(HARMLESS_SCORE)
        self._usual = None
        if model.season is not None:
            self._usual = Usual.of(panel, model.season).newest(self._scored.n_times)

    def of(self, scores: Scores) -> Scores:
        """The scores of `seen`.

        Args:
            scores: of the panel's columns after the first `model.before`.
        """
        if scores.expected is not None:
            model = self._model
            if model.season is not None and self._usual is not None:
                scores = self._by_season(scores, model.season, self._usual)
            scores = gate(scores, self._scored, model.limits, self._p_harmless, model.hold)
        return scores.from_column(self._scored.n_times - self.seen.n_times)

    def _by_season(self, scores: Scores, season: Season, usual: Usual) -> Scores:
        """The scores without what is usual, and with what never is."""
        model = self._model
        actual, _ = judged(scores, self._scored, model.limits)
        of = usual if scores.driver is None else usual.take(scores.driver[0])
        scores = damp(scores, actual, of, model.look_back, HARMLESS_SCORE, self._p_harmless)
        return scores if scores.driver is not None else raised(scores, self._panel, season, usual)


def scores_of(model: Model, panel: Panel) -> tuple[Panel, Scores]:
    """The columns of interest of a panel, and their scores; see `Judge`."""
    judge = Judge(model, panel)
    scores = model.detector.score(panel, panel.n_times - model.before)
    return judge.seen, judge.of(scores)
