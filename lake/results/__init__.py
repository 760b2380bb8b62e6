"""Rows of a query as text and bytes: one writer a format, fed batch by batch."""

from lake.results.plain import plain
from lake.results.sink import Sink
from lake.results.whole import Whole, whole
from lake.results.writers import Format, writer

__all__ = ["Format", "Sink", "Whole", "plain", "whole", "writer"]
