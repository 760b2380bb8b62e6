"""Regular expressions in settings."""

import pyarrow as pa
import pyarrow.compute as pc


def compiles(pattern: str) -> str:
    """The pattern, if DuckDB can run it.

    Raises:
        ValueError: it is no regular expression of RE2, which has no look-around.
    """
    # Arrow's expressions are RE2's, as are DuckDB's, which will run it.
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern
