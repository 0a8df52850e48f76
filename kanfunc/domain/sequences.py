"""Is a sequence behind the column that it numbers? Then the next insert may meet a number that is taken."""

from decimal import Decimal

from kanfunc.domain.checks import SequencesCheck
from kanfunc.domain.finding import Finding
from kanfunc.domain.inquiry import Answer, Inquiry, Question, Row, finding, not_checked, quoted
from kanfunc.domain.survey import told

_MOST = 10_000
"""Sequences that one check looks at."""

# Each sequence with a column that it numbers, which owns it or has it as a default; and its last value, if it
# may be seen and compared with the column's.
_OWNED = """
SELECT format('%I.%I', sn.nspname, s.relname), seqincrement > 0, n.nspname, r.relname, attname,
  CASE WHEN has_sequence_privilege(s.oid, 'USAGE, SELECT') AND has_schema_privilege(n.oid, 'USAGE')
            AND has_column_privilege(r.oid, attnum, 'SELECT')
            AND coalesce(nullif(typbasetype, 0), t.oid) IN (
                  'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
       THEN coalesce(pg_sequence_last_value(s.oid), seqstart - seqincrement) END, r.oid
FROM pg_sequence JOIN pg_class s ON s.oid = seqrelid JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN (
  SELECT objid AS sequence, refobjid AS relation, refobjsubid AS number FROM pg_depend
   WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
     AND deptype IN ('a', 'i') AND refobjsubid > 0
  UNION SELECT refobjid, adrelid, adnum FROM pg_depend JOIN pg_attrdef a ON a.oid = objid
   WHERE classid = 'pg_attrdef'::regclass AND refclassid = 'pg_class'::regclass) AS numbered
  ON sequence = s.oid
JOIN pg_class r ON r.oid = relation AND r.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = r.relnamespace
JOIN pg_attribute ON attrelid = r.oid AND attnum = number JOIN pg_type t ON t.oid = atttypid
WHERE s.relpersistence <> 't' ORDER BY 1, 3, 4, 5
"""
_FURTHEST = "SELECT {function}({column}), %s::regclass::oid FROM {table}"


def sequences_inquiry(check: SequencesCheck) -> Inquiry:
    """Compare each sequence with its column."""
    owned = yield Question(_OWNED, limit=_MOST)
    behind, unseen = [], []
    rows = [row for row in owned.rows if row[0] not in check.except_]
    for row in rows:
        if row[5] is None:
            unseen.append(f"{row[0]} of {row[2]}.{row[3]}.{row[4]}")
        elif problem := _behind(row, (yield _furthest(row))):
            behind.append(problem)
    return _judged(check, len(rows), behind, unseen, more=owned.more)


def _furthest(row: Row) -> Question:
    _, ascending, *names, _, _ = row
    schema, table, column = (name or "" for name in names)
    function, table = "max" if ascending == "t" else "min", quoted(schema, table)
    sql = _FURTHEST.format(
        function=function, column=quoted(column).replace("%", "%%"), table=table.replace("%", "%%")
    )
    return Question(sql, (table,), complete=True)


def _behind(row: Row, answer: Answer) -> str:
    sequence, ascending, schema, table, column, last, oid = row
    furthest, seen = answer.rows[0]
    if seen != oid:
        return f"{schema}.{table} was exchanged while we looked"
    if furthest is None or last is None:
        return ""
    ahead = Decimal(furthest) - Decimal(last)
    if (ahead if ascending == "t" else -ahead) <= 0:
        return ""
    return f"{sequence} is at {last}, {schema}.{table}.{column} at {furthest}"


def _judged(
    check: SequencesCheck, count: int, behind: list[str], unseen: list[str], *, more: bool
) -> Finding:
    if behind:
        return finding(check, told(behind), "none is behind its column", good=False,
                       bad="the next insert may get a number that is taken: correct it by setval, or "
                       "name it in `except` where the application chooses the numbers itself")  # fmt: skip
    if unseen:
        return not_checked(
            check,
            f"cannot be compared: {told(unseen)}",
            "grant the user SELECT on these sequences and columns; only columns of numbers are compared",
        )
    if more or not count:
        return not_checked(check, f"more than {_MOST}" if more else "no sequence belongs to a column",
                           "ask for the tables that matter by checks of kind query")  # fmt: skip
    return finding(check, f"none of {count} is behind", "", good=True, bad="")
