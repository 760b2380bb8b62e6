"""What the page's charts share: fonts, tooltips, and colours that follow the reader's scheme.

Colours are CSS variables of `style.css`: drawn as SVG, a chart is light or dark as the reader's
system is, which the server does not know.
"""

from typing import Any

Options = dict[str, Any]
"""What ECharts draws: a plain dictionary."""

FONT = {"fontFamily": "Roboto, system-ui, sans-serif"}
"""As in `style.css`; ECharts measures texts by it."""
TEXT = {"color": "var(--muted)", "fontSize": 11, **FONT}
QUIET = {"axisLine": {"show": False}, "axisTick": {"show": False}}
TOOLTIP = {
    "backgroundColor": "var(--card)",
    "borderColor": "var(--line)",
    "textStyle": {"color": "var(--ink)", "fontSize": 12},
    "extraCssText": "max-width: 420px; white-space: pre-line; overflow-wrap: anywhere;",
    "confine": True,
}
