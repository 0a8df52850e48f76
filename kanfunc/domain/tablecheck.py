"""The exact rows of one table, asked so that nothing that somebody attached to it can answer in its place."""

from kanfunc.domain.checks import TableCheck
from kanfunc.domain.finding import Finding
from kanfunc.domain.inquiry import Inquiry, Question, Row, finding, held, quoted

_OTHER_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence",
                "i": "an index", "I": "an index", "c": "a composite type", "t": "a TOAST table"}  # fmt: skip

# What stands under that name, a hash of its columns' names and types, and the tables that inherit from it.
_TABLE = """
SELECT relkind,
  (SELECT encode(sha256(convert_to(
            string_agg(concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod)),
                       ', ' ORDER BY attnum), 'UTF8')), 'hex')
     FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
  children, first, outside, c.oid
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
CROSS JOIN LATERAL (
  WITH RECURSIVE below AS (
    SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid
    UNION SELECT i.inhrelid FROM pg_inherits i JOIN below ON i.inhparent = below.inhrelid)
  SELECT count(*) FILTER (WHERE NOT relispartition) AS children,
         min(inhrelid::regclass::text) FILTER (WHERE NOT relispartition) AS first,
         min(inhrelid::regclass::text) FILTER (WHERE relkind = 'f') AS outside
    FROM below JOIN pg_class ON oid = inhrelid) AS family
WHERE nspname = %s AND relname = %s
"""
_COUNT = 'SELECT count(*) FROM {table} AS "kanfunc row"'
# Whatever the order of the rows: their hashes are sorted. (A sum of hashes can be met by a choice of a few
# hundred rows.) In portions by their first bytes, since no value may be over 1 GB. A row becomes text by
# record_out: its cast to text is for the table's owner to define. A column could have that function's name,
# which the schema tells apart, or of the alias, which `.*` does.
_FINGERPRINT = """
SELECT coalesce(sum(n), 0), encode(sha256(
         convert_to(%s::text, 'UTF8') || coalesce(string_agg(portion, ''::bytea ORDER BY first), '')), 'hex')
FROM (SELECT substring(h, 1, 2) AS first, count(*) AS n,
             sha256(string_agg(h, ''::bytea ORDER BY h)) AS portion
      FROM (SELECT sha256(convert_to(textin(pg_catalog.record_out("kanfunc row".*)), 'UTF8')) AS h
            FROM {table} AS "kanfunc row") AS hashes
      GROUP BY 1) AS portions
"""


def table_inquiry(check: TableCheck) -> Inquiry:
    """See what has the table's name, hold it, then count it or take its fingerprint."""
    name = f"{check.schema}.{check.table}"
    describe = Question(_TABLE, (check.schema, check.table))
    described = yield describe
    if not described.rows:
        return finding(check, f"there is no {name}", "a table", good=False, bad="the table is gone")
    kind, columns, children, first, outside, _ = described.rows[0]
    if kind in _OTHER_KINDS or outside:
        found = (
            f"{name} is {_OTHER_KINDS[kind]}"
            if kind in _OTHER_KINDS
            else f"{outside} in it is a foreign table"
        )
        return finding(check, found, "a table", good=False,
                       bad="its rows come from somewhere else than the table that was backed up")  # fmt: skip
    yield held(check.schema, check.table)
    if (yield describe).rows != described.rows:
        return finding(check, f"{name} was exchanged while we looked", "one table", good=False,
                       bad="verify again, while nobody changes the schema")  # fmt: skip
    table = quoted(check.schema, check.table)
    if check.fingerprint is None:
        answer = yield Question(_COUNT.format(table=table), complete=True)
    else:
        sql = _FINGERPRINT.format(table=table.replace("%", "%%"))
        answer = yield Question(sql, (columns or "",), complete=True)
    inherited = f", with those of {children} tables that inherit from it ({first} …)" if first else ""
    return _exact(check, answer.rows[0], inherited)


def _exact(check: TableCheck, row: Row, inherited: str) -> Finding:
    count, fingerprint = row[0] or "", row[1] if len(row) > 1 else None
    found, expected = [f"{count} rows{inherited}"], []
    good = True
    if check.count is not None:
        good = count == str(check.count)
        expected.append(f"{check.count} rows")
    if check.fingerprint is not None:
        good = good and fingerprint == check.fingerprint
        found.append(f"fingerprint {fingerprint}")
        expected.append(f"fingerprint {check.fingerprint}")
    return finding(check, ", ".join(found), ", ".join(expected), good=good,
                   bad="rows of this table were changed, deleted or added, or its columns were")  # fmt: skip
