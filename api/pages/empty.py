"""What the page says when there is nothing to show yet, and what to do about it."""

from nicegui import ui

SNIPPET = """\
# prometheus.yml of each cluster; --enable-feature=agent works too
global:
  external_labels:
    cluster: eu-1          # the cluster's name in the lake
remote_write:
  - url: {url}
"""


def remote_write(base_url: str) -> str:
    """The Prometheus settings that send a cluster here.

    >>> print(remote_write("http://lake:8428/").splitlines()[-1])
      - url: http://lake:8428/api/v1/write
    """
    return SNIPPET.format(url=f"{base_url.rstrip('/')}/api/v1/write")


def nothing_found(window: str, note: str | None, *, filtered: bool) -> str:
    """Why the list of anomalies is empty.

    >>> nothing_found("24 h", None, filtered=False)
    'Nothing over the threshold in the last 24 h.'
    >>> nothing_found("24 h", "warming up: 2:00:00 of history, 6:00:00 needed", filtered=False)
    'Nothing over the threshold in the last 24 h. Warming up: 2:00:00 of history, 6:00:00 needed.'
    >>> nothing_found("24 h", None, filtered=True)
    'No anomaly of the last 24 h passes the filter: widen it, or the window.'
    """
    if filtered:
        return f"No anomaly of the last {window} passes the filter: widen it, or the window."
    text = f"Nothing over the threshold in the last {window}."
    # Between two ticks no column closes; that is no reason to tell.
    if note is None or note.startswith("no column"):
        return text
    return f"{text} {note[0].upper()}{note[1:]}."


def welcome(base_url: str) -> None:
    """The first screen of an empty lake."""
    with ui.element("section").classes("card welcome"):
        ui.label("No cluster yet").classes("name").props("role=heading aria-level=2")
        ui.label(
            "Send metrics here with Prometheus' remote write. A cluster shows up seconds after its "
            "first samples; this page looks again every 30 s."
        )
        ui.code(remote_write(base_url), language="yaml")
        with ui.element("div"):
            ui.label(
                "Then post Kubernetes events to /api/v1/events; every route is described under"
            )
            ui.link("API", "docs")
