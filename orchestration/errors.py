"""What can go wrong where the parts meet, as one small tree.

* OrchestrationError
  * SettingsError      the settings file is unreadable, or a value breaks its rule
  * FilterError        a filter of a listing is wrong (a foreign cursor, a reversed range)
  * NotFoundError      no anomaly has this id
  * DetectFileError    a file that cannot be scored as asked
"""


class OrchestrationError(Exception):
    """Base of all errors of this package."""


class SettingsError(OrchestrationError):
    """The settings cannot be used."""


class FilterError(OrchestrationError):
    """A filter of a listing is wrong."""


class NotFoundError(OrchestrationError):
    """There is nothing by this name."""


class DetectFileError(OrchestrationError):
    """A file cannot be scored as asked."""
