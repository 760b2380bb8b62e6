"""Everything this package raises on purpose.

```
DetectorsError
├── InvalidPanelError       a panel that breaks its own rules
├── InvalidParameterError   a detector or function parameter outside its range
├── UnknownDetectorError    a name the catalogue does not know; `.matches` holds close ones
├── OwnDetectorError        a class of the user's own that cannot be imported or is no detector
├── ModelFailedError        a borrowed model raises, or answers with no score
├── ForecasterError         a heavier forecaster that is not there, or cannot be loaded
├── NotFittedError          scoring or saving before `fit`
├── PanelMismatchError      the panel to score is not made like the one fitted on
├── NoTrainingDataError     an entity none of whose columns can be learned from
├── InvalidStateError       arrays that no detector of this class wrote
└── LawBrokenError          a detector breaks a law of `detectors.checks`; `.law` names it
```
"""


class DetectorsError(Exception):
    """Base of every error of `detectors`."""


class InvalidPanelError(DetectorsError, ValueError):
    """A panel with wrong shapes, infinite values, repeated series or no step."""


class InvalidParameterError(DetectorsError, ValueError):
    """A parameter outside its range.

    Attributes:
        name: the parameter.
        value: what was given.
    """

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name}={value!r}: {rule}")
        self.name = name
        self.value = value


class UnknownDetectorError(DetectorsError, LookupError):
    """A detector name that nothing answers to.

    Attributes:
        name: the name asked for.
        matches: the known names nearest in spelling, best first.
    """

    def __init__(self, name: str, matches: tuple[str, ...]) -> None:
        hint = f", close to {', '.join(matches)}" if matches else ""
        super().__init__(f"unknown detector {name!r}{hint}")
        self.name = name
        self.matches = matches


class OwnDetectorError(DetectorsError, ImportError):
    """A class of the user's own, `module:Class`, that cannot be imported or is no detector.

    Attributes:
        path: what was asked for.
    """

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"detector {path!r}: {rule}")
        self.path = path


class ModelFailedError(DetectorsError, RuntimeError):
    """A borrowed model raised, took too long, or answered with what was not asked for.

    Attributes:
        model: its name.
        reason: what it did.
    """

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"{model}: {reason}")
        self.model = model
        self.reason = reason


class ForecasterError(DetectorsError, LookupError):
    """A heavier forecaster that is not there, or cannot be loaded.

    Attributes:
        name: what was asked for.
        rule: what is wrong with it, and what to do.
    """

    def __init__(self, name: str, rule: str) -> None:
        super().__init__(f"forecaster {name!r} (forecasts.heavier, --heavier) {rule}")
        self.name = name
        self.rule = rule


class NotFittedError(DetectorsError, RuntimeError):
    """`fit` has not been called."""

    def __init__(self, detector: str) -> None:
        super().__init__(f"{detector} is not fitted: call fit first")
        self.detector = detector


class PanelMismatchError(DetectorsError, ValueError):
    """The panel to score has other series, or another step, than the one fitted on."""


class NoTrainingDataError(DetectorsError, ValueError):
    """Nothing in the panel can be learned from."""


class InvalidStateError(DetectorsError, ValueError):
    """Saved arrays are missing, misshapen, or of another detector or version."""


class LawBrokenError(DetectorsError, AssertionError):
    """A detector breaks one of the laws every detector must obey.

    Attributes:
        law: name of the law, as in `detectors.checks`.
        reason: how it is broken.
    """

    def __init__(self, law: str, reason: str) -> None:
        super().__init__(f"law {law!r} broken: {reason}")
        self.law = law
        self.reason = reason
