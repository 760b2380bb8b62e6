"""What the scraper has done since it started, for `/metrics` and the page."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class ScrapeStatistics:
    """Counters by cluster. One thread counts; any may read.

    A target that fails is normal life, and no reason to call this process unready: its `up` is 0.
    """

    scrapes: Counter[str] = field(default_factory=Counter)
    """Scrapes begun."""
    failures: Counter[str] = field(default_factory=Counter)
    """Of those, without an exposition that could be taken: `up` is 0."""
    samples: Counter[str] = field(default_factory=Counter)
    """Samples stored that targets exposed; `up` and its like not counted."""
    stale: Counter[str] = field(default_factory=Counter)
    """Series that ended."""
    duplicates: Counter[str] = field(default_factory=Counter)
    """Samples left out, for their series stood in the exposition before."""
    exemplars: Counter[str] = field(default_factory=Counter)
    """Exemplars dropped."""
    refused: Counter[str] = field(default_factory=Counter)
    """Samples, or whole scrapes as one, that the receiver's rules refused."""
    lost: Counter[str] = field(default_factory=Counter)
    """Scrapes that could not be stored: the receiver was full, or its log could not be written."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Scrapes whose time passed while the one before was still under way."""
    errors: dict[str, str] = field(default_factory=dict)
    """By address, why the newest scrape failed; a target that is well is not in it."""
