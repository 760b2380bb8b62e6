"""The first page: clusters, anomaly density, what fills, the list, and the chosen anomaly."""

import asyncio
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI, Request
from nicegui import app as nicegui_app
from nicegui import background_tasks, ui

from api.pages import empty, heat_map, rows, tables
from api.pages import format as fmt
from api.pages.advice_card import AdviceCard
from api.pages.data import Detail, Overview, read_detail, read_overview
from api.pages.detail import DetailPanel
from api.pages.forecasts_card import ForecastsCard
from api.pages.mount import confine
from api.pages.reading import Problem, attempt
from orchestration.service import Service

REFRESH_SECONDS = 30.0
FIRST_PAINT_SECONDS = 2.0
"""A lake that answers within this is served in the page itself; a slower one follows it."""

WINDOWS = {
    "6h": ("6 h", timedelta(hours=6)),
    "24h": ("24 h", timedelta(hours=24)),
    "2d": ("2 d", timedelta(days=2)),
    "7d": ("7 d", timedelta(days=7)),
}
DEFAULT_WINDOW = "24h"
STYLE = Path(__file__).parent / "style.css"
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#2563c9" '
    'stroke-width="3" stroke-linecap="round"><path d="M3 21c4 0 4-3 8.5-3s4.5 3 8.5 3 4-3 9-3"/>'
    '<path d="M3 27c4 0 4-3 8.5-3s4.5 3 8.5 3 4-3 9-3" opacity=".5"/>'
    '<path d="M5 13h6l3-8 4 8h9" stroke="#c92a2a"/></svg>'
)


def install(app: FastAPI, service: Service) -> None:
    """Mount the page at `/`; call it after every route of the API is there."""

    @ui.page("/", title="fleetlake")
    async def home(
        request: Request, anomaly: str | None = None, window: str = DEFAULT_WINDOW
    ) -> None:
        chosen = window if window in WINDOWS else DEFAULT_WINDOW
        page = Home(service, str(request.base_url), anomaly, chosen)
        reading = background_tasks.create(page.refresh(), name="first read")
        await asyncio.wait({reading}, timeout=FIRST_PAINT_SECONDS)
        # Not before: a timer that waits for the browser sends the page off as it is.
        ui.timer(REFRESH_SECONDS, page.refresh, immediate=False)

    # NiceGUI is one per process. An app made before this one (in tests) has started it, and once
    # started it takes no middleware.
    nicegui_app.user_middleware.clear()
    nicegui_app.middleware_stack = None
    ui.run_with(
        app,
        title="fleetlake",
        favicon=ICON,
        dark=None,  # as the reader's system has it
        tailwind=False,  # its compiler runs in the browser; `style.css` is there at once
        show_welcome_message=False,
    )
    confine(app)


class Home:
    """One reader's page.

    Args:
        service: what to read.
        base_url: under which the reader sees the server.
        anomaly: to show first; None = the highest score.
        window: a key of `WINDOWS`.
    """

    def __init__(self, service: Service, base_url: str, anomaly: str | None, window: str) -> None:
        self._service = service
        self._base_url = base_url
        self._selected = anomaly
        self._window = window
        self._newest = 0
        self._worst_of: dict[str, str] = {}
        self._shown: Detail | None = None
        ui.add_css(STYLE)
        ui.colors(primary="#2563c9")
        with ui.element("header").classes("bar"):
            self._build_bar()
        self._problem = ui.label().classes("problem banner").props("role=alert")
        self._problem.set_visibility(False)
        self._hint = ui.label("Reading the lake …").classes("hint loading")
        self._welcome = ui.element("div").classes("welcome-place")
        with ui.element("main").classes("page") as self._page:
            self._build_fleet()
            self._build_incidents()
            self._forecasts = ForecastsCard(self._service.settings.forecasts)
            self._build_list()
            self._detail = DetailPanel()
            self._advice = AdviceCard()
        self._page.set_visibility(False)

    def _build_bar(self) -> None:
        ui.html(ICON, sanitize=False).classes("logo")
        ui.label("fleetlake").classes("brand").props("role=heading aria-level=1")
        self._versions = ui.label().classes("versions")
        ui.element("div").classes("stretch")
        self._refreshed = ui.label().classes("refreshed").props("aria-live=off")
        names = {key: name for key, (name, _) in WINDOWS.items()}
        self._toggle = ui.toggle(names, value=self._window, on_change=self._change_window)
        self._toggle.props('dense unelevated no-caps aria-label="window"').classes("window")
        ui.link("API", "docs")
        ui.link("Metrics", "metrics")

    def _build_fleet(self) -> None:
        with ui.element("section").classes("card clusters"):
            with ui.element("div").classes("subtitle"):
                ui.label("Clusters").props("role=heading aria-level=2")
                ui.label("click to filter").classes("hint")
            self._clusters = tables.clusters(self._pick_cluster)
        with ui.element("section").classes("card density"):
            with ui.element("div").classes("subtitle"):
                ui.label("Anomalies at once").props("role=heading aria-level=2")
                self._bucket = ui.label().classes("hint")
            with ui.element("div").classes("map"):
                self._map = ui.echart({"series": []}, renderer="svg")

    def _build_incidents(self) -> None:
        with ui.element("section").classes("card incidents") as self._incident_card:
            with ui.element("div").classes("subtitle"):
                ui.label("Incidents").props("role=heading aria-level=2")
                ui.label("click to see the worst of it").classes("hint")
            self._incidents = tables.incidents(self._pick_incident)

    def _build_list(self) -> None:
        with ui.element("section").classes("card list"):
            with ui.element("div").classes("subtitle"):
                ui.label("Anomalies").props("role=heading aria-level=2")
                self._count = ui.label().classes("hint")
                ui.element("div").classes("stretch")
                self._filter = ui.select(
                    [], multiple=True, clearable=True, label="Clusters", on_change=self.refresh
                )
                self._filter.props("dense outlined options-dense").classes("filter")
                self._score = ui.number(
                    "Score at least", value=1, min=0, step=1, on_change=self.refresh
                )
                self._score.props("dense outlined debounce=400").classes("filter narrow")
            self._none = ui.label().classes("hint none")
            self._list = tables.anomalies(self.select)

    async def refresh(self) -> None:
        """Read everything again; what is chosen stays chosen."""
        self._newest += 1
        turn = self._newest
        name, window = WINDOWS[self._window]
        bucket = heat_map.bucket_for(window)
        score, clusters = self._score.value or 0.0, list(self._filter.value or [])
        found = await attempt(read_overview, self._service, window, bucket, clusters, score)
        if turn != self._newest:  # a later click asked for something else
            return
        self._hint.set_visibility(False)
        if isinstance(found, Problem):
            self._warn(found.text)
            return
        wrong = "; ".join(f"{what}: {text}" for what, text in found.errors.items())
        self._warn(wrong and f"failing: {wrong}")
        self._show_fleet(found, bucket)
        self._show_incidents(found)
        self._forecasts.show(found.forecasts, found.at, filtered=bool(clusters))
        self._advice.show(found.advice, more=found.more_advice)
        self._show_list(found, name, filtered=bool(clusters) or score > 1)
        await self._show_detail()

    def _warn(self, text: str) -> None:
        self._problem.text = text
        self._problem.set_visibility(bool(text))

    def _show_fleet(self, found: Overview, bucket: timedelta) -> None:
        self._welcome.clear()
        if not found.clusters:
            with self._welcome:
                empty.welcome(self._base_url)
        self._page.set_visibility(bool(found.clusters))
        self._versions.text = "lake " + " · ".join(
            f"{table} v{version}" for table, version in sorted(found.versions.items())
        )
        self._refreshed.text = f"read {found.at:%H:%M:%S} UTC"
        names = [row["cluster"] for row in found.clusters]
        if names != self._filter.options:
            self._filter.set_options(names)
        cells = [rows.cluster_row(row) for row in found.clusters]
        tables.show(self._clusters, cells, self._filter.value or [])
        self._bucket.text = f"per {fmt.duration(bucket)}, UTC"
        self._map.style(f"height: {56 + 26 * len(names)}px")
        options = heat_map.heat_map(found.density, names, found.between, bucket)
        if options != self._map.options:
            self._map.options.clear()
            self._map.options.update(options)
            self._map.update()

    def _show_incidents(self, found: Overview) -> None:
        scores = {row["anomaly_id"]: float(row["score"]) for row in found.anomalies}
        self._worst_of = {
            row["incident_id"]: max(row["anomaly_ids"], key=lambda one: scores.get(one, 0.0))
            for row in found.incidents
        }
        cells = [rows.incident_row(row) for row in found.incidents]
        tables.show(self._incidents, cells, [])
        self._incident_card.set_visibility(bool(cells))

    def _show_list(self, found: Overview, window: str, *, filtered: bool) -> None:
        if self._selected is None and found.anomalies:
            top = max(found.anomalies, key=lambda row: float(row["score"]))
            self._selected = top["anomaly_id"]
        cells = [rows.anomaly_row(row) for row in found.anomalies]
        tables.show(self._list, cells, [self._selected or ""])
        self._list.set_visibility(bool(cells))
        self._none.set_visibility(not cells)
        self._none.text = empty.nothing_found(window, found.note, filtered=filtered)
        more = "newest " if found.more else ""
        self._count.text = (
            f"{more}{len(cells):,} in the last {window}; score 1 is the threshold" if cells else ""
        )

    async def _show_detail(self) -> None:
        chosen = self._selected
        if chosen is None:
            self._detail.say("Once there is an anomaly, its curve and events appear here.")
            return
        if self._shown is None or self._shown.anomaly["anomaly_id"] != chosen:
            self._detail.say("Reading the series …")
        found = await attempt(read_detail, self._service, chosen)
        if chosen != self._selected:
            return
        if isinstance(found, Problem):
            self._shown = None
            self._detail.say(found.text, wrong=True)
            return
        before, self._shown = self._shown, found
        # Drawn anew only when it changed: a tooltip that is open stays open.
        if before is None or (before.anomaly, before.events) != (found.anomaly, found.events):
            self._detail.show(found)

    async def select(self, anomaly_id: str) -> None:
        """Show another anomaly, and name it in the address."""
        if anomaly_id == self._selected:
            tables.mark(self._list, [anomaly_id])
            return
        self._selected = anomaly_id
        tables.mark(self._list, [anomaly_id])
        self._name_in_address()
        await self._show_detail()

    async def _pick_incident(self, incident_id: str) -> None:
        """Show the anomaly of an incident that is furthest off."""
        tables.mark(self._incidents, [incident_id])
        await self.select(self._worst_of[incident_id])

    async def _pick_cluster(self, cluster: str) -> None:
        """Narrow the list to a cluster; the same again lifts it."""
        before = self._filter.value or []
        self._filter.value = [] if before == [cluster] else [cluster]

    async def _change_window(self) -> None:
        self._window = str(self._toggle.value)
        self._name_in_address()
        await self.refresh()

    def _name_in_address(self) -> None:
        chosen = f"&anomaly={self._selected}" if self._selected else ""
        ui.navigate.history.replace(f"?window={self._window}{chosen}")
