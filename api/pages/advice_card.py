"""The page's section on advice: what is worth most, and why of the one that is picked."""

from collections.abc import Sequence

from nicegui import ui

from api.pages import rows, tables
from orchestration.steps.paging import Row


class AdviceCard:
    """A card that hides itself where there is no advice."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}
        with ui.element("section").classes("card advice") as self._card:
            with ui.element("div").classes("subtitle"):
                ui.label("Advice").props("role=heading aria-level=2")
                self._hint = ui.label().classes("hint")
            self._table = tables.advice(self._pick)
            self._reason = ui.label().classes("hint reason")
        self._card.set_visibility(False)

    def show(self, found: Sequence[Row], *, more: bool) -> None:
        """Draw advice, in the order in which it comes.

        Args:
            found: rows of `advice.browse.listing`.
            more: whether there are others.
        """
        self._why = {row["advice_id"]: row["reason"] for row in found}
        picked = [row["advice_id"] for row in self._table.selected]
        tables.show(self._table, [rows.advice_row(row) for row in found], picked)
        most = f"the {len(found)} that are worth most" if more else f"{len(found)}"
        self._hint.text = f"{most}; click to see why"
        self._card.set_visibility(bool(found))

    async def _pick(self, advice_id: str) -> None:
        tables.mark(self._table, [advice_id])
        self._reason.text = self._why.get(advice_id, "")
