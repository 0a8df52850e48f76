"""A query of the checks' author, of whose values no more is sent than is of interest."""

import re
from contextlib import suppress
from typing import Any

import psycopg

_END = re.compile(r";\s*(--[^\n]*\s*|/\*.*?\*/\s*)*\Z", re.DOTALL)
"""The semicolon after a statement, and what may follow it."""


def narrowed(connection: psycopg.Connection[Any], query: str, width: int) -> str:
    """The query with each of its values cut on the server, in the text that PostgreSQL prints for it.

    What cannot stand in a subquery (SHOW, EXPLAIN, whatever writes) stays as it is.
    """
    for inner in (query, _END.sub("", query)):
        with suppress(psycopg.errors.SyntaxError, psycopg.errors.FeatureNotSupported):
            with connection.transaction():  # a savepoint
                columns = _columns(connection, inner)
            return _cut(inner, columns, width)
    return query


def _cut(query: str, columns: int, width: int) -> str:
    """No cast of a value's type is used, which its owner may have made, and no function or operator of the
    user's path. NULL is told by num_nulls: to IS NULL a row of nulls is one.
    """
    names = [f"c{number}" for number in range(columns)]
    values = (
        f"CASE WHEN pg_catalog.num_nulls({name}) OPERATOR(pg_catalog.=) 0"
        f" THEN pg_catalog.left(pg_catalog.format('%s', {name}), {width}) END"
        for name in names
    )
    alias = f"answer({', '.join(names)})" if names else "answer"
    return f"SELECT {', '.join(values)} FROM ({query}\n) AS {alias}"  # noqa: S608 - its author's query


def _columns(connection: psycopg.Connection[Any], query: str) -> int:
    """How many columns the query has; nothing of it is run."""
    whole = f"SELECT * FROM ({query}\n) AS answer"  # noqa: S608 - its author's query
    prepared = connection.pgconn.prepare(b"", whole.encode())
    if prepared.status == psycopg.pq.ExecStatus.COMMAND_OK:
        prepared = connection.pgconn.describe_prepared(b"")
    if prepared.status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(prepared)
    return prepared.nfields
