"""Which format an answer has: `format=`, else the request's Accept (RFC 9110, 12.5.1)."""

from collections.abc import Iterator

from api.errors import NotAcceptableError
from lake.results import Format

MEDIA_TYPES = {
    Format.json: "application/json",
    Format.csv: "text/csv",
    Format.arrow: "application/vnd.apache.arrow.stream",
    Format.parquet: "application/vnd.apache.parquet",
    Format.ndjson: "application/x-ndjson",
}
"""In the order in which they are preferred where the client does not care."""


def negotiated(accept: str | None) -> Format:
    """The format for an Accept header: the one of greatest weight, of equals the first of ours.

    >>> negotiated("text/csv;q=0.5, application/vnd.apache.arrow.stream")
    <Format.arrow: 'arrow'>
    >>> negotiated("text/html, */*;q=0.8")
    <Format.json: 'json'>
    >>> negotiated("image/png")
    Traceback (most recent call last):
    api.errors.NotAcceptableError: Accept 'image/png' names no format that there is: ...

    Raises:
        NotAcceptableError: none of ours is acceptable.
    """
    if accept is None or not accept.strip():
        return Format.json
    ranges = list(_ranges(accept))
    weights = {form: _weight(media, ranges) for form, media in MEDIA_TYPES.items()}
    best = max(weights, key=lambda form: weights[form])
    if weights[best] == 0:
        raise NotAcceptableError(accept, list(MEDIA_TYPES.values()))
    return best


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        media, *parameters = [each.strip().lower() for each in part.split(";")]
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = min(max(float(value), 0.0), 1.0)
                except ValueError:
                    weight = 0.0
        yield media, weight


def _weight(media: str, ranges: list[tuple[str, float]]) -> float:
    """The weight that the most specific matching range gives, whatever the others say."""
    for wanted in (media, media.split("/", maxsplit=1)[0] + "/*", "*/*"):
        found = [weight for name, weight in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
