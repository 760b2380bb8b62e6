"""Functions over counters, gauges and histograms, as DuckDB macros; `docs/sql.md` shows each.

They are expressions, not table functions: they stand in a plain SELECT … GROUP BY, so that files
are pruned and SQL from outside is judged by the tables that it names. None has the name of a
function of DuckDB's own. Values that are NULL or NaN are left out, as in the rollups; the order of
rows within a group does not matter.
"""

_FOUND = "FILTER (NOT isnan(value))"

_VALUES = f"list(CAST(value AS DOUBLE) ORDER BY time) {_FOUND}"
"""The group's values in order of time."""

_LAST_TWO = f"arg_max(CAST(value AS DOUBLE), time, 2) {_FOUND}"
"""Newest first."""

_SECONDS = f"nullif(epoch(max(time) {_FOUND} - min(time) {_FOUND}), 0)"
"""From the first sample to the last; NULL where there is one only."""

_LAST_SECONDS = (
    f"nullif(list_transform([max(time, 2) {_FOUND}], lambda t: epoch(t[1] - t[2]))[1], 0)"
)

_KNOWN = "CASE WHEN NOT isnan(value) THEN CAST(value AS DOUBLE) END"

_FIT = f"CASE WHEN {_SECONDS} > 0 THEN regr_slope({_KNOWN}, epoch(time)) END"


def _neighbours(each: str) -> str:
    """The sum of `each` over a group's values in order: of `x` and `p`, the one before it.

    NULL for fewer than two.
    """
    # A list with one list in it names that list, so that it is built once and `i` reaches into it.
    body = each.replace("{p}", "s[i - 1]")
    return f"""list_transform([{_VALUES}], lambda s: CASE WHEN len(s) > 1 THEN
        list_sum(list_transform(s, lambda x, i: CASE WHEN i > 1 THEN {body} ELSE 0 END)) END)[1]"""


_INCREASE = _neighbours("CASE WHEN x >= {p} THEN x - {p} ELSE x END")

_BUCKETS = """list({'le': TRY_CAST(le AS DOUBLE), 'n': CAST(rate AS DOUBLE)})
    FILTER (rate IS NOT NULL AND NOT isnan(TRY_CAST(le AS DOUBLE)))"""
"""A group's buckets, in any order, perhaps several of one bound (of several instances)."""

_BOUNDED = f"""list_transform([{_BUCKETS}], lambda s: list_transform(
    list_sort(list_distinct(list_transform(s, lambda b: b.le))),
    lambda le: {{'le': le,
        'n': list_sum(list_transform(list_filter(s, lambda b: b.le = le), lambda b: b.n))}}))[1]"""
"""One bucket a bound, in order: those of one bound are added up."""

_COUNTS = """list_reduce(
    list_transform(s, lambda b: [b.n]),
    lambda seen, n: list_append(seen, CASE
        WHEN n[1] > seen[-1] AND NOT (n[1] - seen[-1]) / (n[1] + seen[-1]) < 1e-12 THEN n[1]
        ELSE seen[-1] END))"""
"""Counts that never fall from one bound to the next: scrapes and rates of buckets are not taken at
one instant. The tolerance, which is Prometheus', keeps errors of rounding from making a bucket."""

_RANKED = """list_transform([coalesce(
    list_filter(range(1, len(n)), lambda i: n[i] >= quantile * n[-1])[1], len(n))],
    lambda i: CASE
        WHEN i = len(n) THEN s[i - 1].le
        WHEN i = 1 AND s[1].le <= 0 THEN s[1].le
        WHEN i = 1 THEN s[1].le * (quantile * n[-1] / n[1])
        ELSE s[i - 1].le + (s[i].le - s[i - 1].le)
            * ((quantile * n[-1] - n[i - 1]) / (n[i] - n[i - 1])) END)[1]"""
"""The quantile's place in the first bucket `i` whose count reaches its rank."""

_HISTOGRAM_QUANTILE = f"""list_transform([{_BOUNDED}], lambda s: CASE
    WHEN s IS NULL OR len(s) = 0 OR quantile IS NULL THEN NULL
    WHEN isnan(quantile) THEN 'NaN'::DOUBLE
    WHEN quantile < 0 THEN '-Infinity'::DOUBLE
    WHEN quantile > 1 THEN 'Infinity'::DOUBLE
    WHEN len(s) < 2 OR s[-1].le <> 'Infinity'::DOUBLE THEN 'NaN'::DOUBLE
    WHEN len(list_filter(s, lambda b: isnan(b.n))) > 0 THEN 'NaN'::DOUBLE
    ELSE list_transform([{_COUNTS}], lambda n:
        CASE WHEN n[-1] = 0 THEN 'NaN'::DOUBLE ELSE {_RANKED} END)[1] END)[1]"""


def _nearest(what: str, way: str) -> str:
    """`what` of the nearest row with a value, before (`last`) or after (`first`) the current."""
    rows = {
        "last": "BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
        "first": "BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    }[way]
    return (
        f"{way}_value(CASE WHEN NOT isnan(value) THEN {what} END IGNORE NULLS) "
        f"OVER (PARTITION BY series ORDER BY time ROWS {rows})"
    )


_BEFORE, _AFTER = (
    _nearest("CAST(value AS DOUBLE)", "last"),
    _nearest("CAST(value AS DOUBLE)", "first"),
)
_TIME_BEFORE, _TIME_AFTER = _nearest("time", "last"), _nearest("time", "first")

MACROS: dict[str, str] = {
    "label": "(labels, name) AS labels[name]",
    "rise": "(value, previous) AS CASE WHEN value >= previous THEN value - previous "
    "WHEN value < previous THEN value END",
    "increase": f"(value, time) AS {_INCREASE}",
    "rate": f"(value, time) AS {_INCREASE} / {_SECONDS}",
    "irate": f"(value, time) AS list_reduce({_LAST_TWO}, lambda x, p: "
    f"CASE WHEN x >= p THEN x - p ELSE x END) / {_LAST_SECONDS}",
    "delta": f"(value, time) AS CASE WHEN count(value) {_FOUND} > 1 THEN "
    f"arg_max(CAST(value AS DOUBLE), time) {_FOUND} "
    f"- arg_min(CAST(value AS DOUBLE), time) {_FOUND} END",
    "changes": f"(value, time) AS {_neighbours('CASE WHEN x <> {p} THEN 1 ELSE 0 END')}",
    "resets": f"(value, time) AS {_neighbours('CASE WHEN x < {p} THEN 1 ELSE 0 END')}",
    "latest": f"(value, time) AS arg_max(value, time) {_FOUND}",
    "deriv": f"(value, time) AS {_FIT}",
    "predict_linear": f"(value, time, ahead) AS avg({_KNOWN}) + {_FIT} * "
    f"(epoch(max(time) {_FOUND}) + epoch(ahead) - avg(epoch(time)) {_FOUND})",
    "histogram_quantile": f"(quantile, le, rate) AS {_HISTOGRAM_QUANTILE}",
    "locf": f"(value, series, time) AS {_BEFORE}",
    "interpolate": f"""(value, series, time) AS CASE
        WHEN NOT isnan(value) THEN CAST(value AS DOUBLE)
        ELSE {_BEFORE} + ({_AFTER} - {_BEFORE}) * epoch(time - {_TIME_BEFORE})
        / epoch({_TIME_AFTER} - {_TIME_BEFORE}) END""",
}
"""Name of each macro to its parameters and body."""


def create_macros() -> str:
    """The statements that make all macros in a connection."""
    return ";\n".join(f"CREATE MACRO {name}{definition}" for name, definition in MACROS.items())
