"""Where in a query its mistake is: DuckDB tells that of statements, and not of its relations."""

import duckdb

BEFORE_IT_RUNS = (duckdb.BinderException, duckdb.CatalogException)
"""Mistakes that are found while the query is bound: to ask once more costs nothing."""


def with_place(connection: duckdb.DuckDBPyConnection, sql: str, error: Exception) -> str:
    """The engine's message, with the line and a mark below the place where it can say so.

    Args:
        connection: on which the query failed.
        sql: the query.
        error: how it failed.
    """
    said = str(error)
    if isinstance(error, BEFORE_IT_RUNS) and "\nLINE " not in said:
        try:
            connection.execute(sql)
        except duckdb.Error as again:
            if str(again).startswith(said):
                return str(again)
    return said
