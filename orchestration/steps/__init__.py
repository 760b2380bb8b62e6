"""Plain functions that do the work; Dagster and the worker only call them."""
