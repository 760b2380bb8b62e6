"""The page's section on forecasts: what is full, what fills, and what cannot be told."""

from datetime import datetime

from nicegui import ui

from api.pages import format as fmt
from api.pages import rows, tables
from api.pages.data import Foretold
from orchestration.forecast_settings import ForecastSettings
from orchestration.steps.forecast.sentence import length, sentence


class ForecastsCard:
    """A card that says so where nothing fills, or nobody looks.

    Args:
        settings: how often, and from how much history on.
    """

    def __init__(self, settings: ForecastSettings) -> None:
        self._settings = settings
        self._said: dict[str, str] = {}
        with ui.element("section").classes("card forecasts"):
            with ui.element("div").classes("subtitle"):
                ui.label("What fills").props("role=heading aria-level=2")
                self._hint = ui.label().classes("hint")
            self._none = ui.label().classes("hint none")
            self._table = tables.forecasts(self._pick)
            self._sentence = ui.label().classes("hint reason")
            self._left_out = ui.label().classes("hint")

    def show(self, found: Foretold, now: datetime, *, filtered: bool) -> None:
        """Draw what is past its threshold, then forecasts, in the order in which they come.

        Args:
            found: what fills, and of how many resources that is known.
            now: from when on "in" counts.
            filtered: whether it is of some clusters alone.
        """
        every = [*found.passed, *found.rows]
        self._said = {row["forecast_id"]: sentence(row, now) for row in every}
        picked = [row["forecast_id"] for row in self._table.selected]
        tables.show(self._table, [rows.forecast_row(row, now) for row in every], picked)
        self._table.set_visibility(bool(every))
        self._none.set_visibility(not found.rows)
        self._none.text = nothing(found, self._settings, filtered=filtered)
        self._hint.text = hint(found)
        self._sentence.text = next((self._said.get(one, "") for one in picked), "")
        self._sentence.set_visibility(bool(self._sentence.text))
        self._left_out.text = "; ".join(found.known.left_out())
        self._left_out.set_visibility(bool(self._left_out.text))

    async def _pick(self, forecast_id: str) -> None:
        tables.mark(self._table, [forecast_id])
        self._sentence.text = self._said.get(forecast_id, "")
        self._sentence.set_visibility(bool(self._sentence.text))


def hint(found: Foretold) -> str:
    """How much of it is here, and of when it is."""
    if found.known.made_at is None:
        return ""
    made = f"{fmt.day_and_time(found.known.made_at)} UTC"
    if not found.rows:
        # What does not fill has a row a day, however often it is looked at.
        return f"nothing new since {made}"
    count = f"the soonest {len(found.rows)}" if found.more else f"{len(found.rows)}"
    of = f"of {found.known.resources:,} resources, within {length(found.within)}"
    return f"{count} {of}; made {made}; click for the whole sentence"


def nothing(found: Foretold, settings: ForecastSettings, *, filtered: bool) -> str:
    """Why the list is empty.

    >>> from datetime import UTC, timedelta
    >>> from orchestration.steps.forecast.known import Known
    >>> known = Known(119, {}, datetime(2026, 3, 2, tzinfo=UTC), timedelta(hours=4))
    >>> calm = Foretold([], [], False, known, timedelta(hours=4))
    >>> nothing(calm, ForecastSettings(), filtered=False)
    'None of 119 resources reaches its next level within 4 h.'
    """
    if found.known.made_at is None and filtered:
        return "No resource of the clusters that are chosen has a forecast of the last day."
    if found.known.made_at is None:
        who = "the server" if settings.resident else "Dagster's schedule"
        return (
            f"No forecast of the last day: every {length(settings.every)} {who} foretells what "
            "has a limit (disks, volumes, memory, quotas) or an end (certificates), with "
            f"{length(settings.horizon)} of history."
        )
    count = found.known.resources
    which = f"None of {count:,} resources reaches" if count > 1 else "The one resource reaches"
    return f"{which} {'its next' if count > 1 else 'no'} level within {length(found.within)}."
