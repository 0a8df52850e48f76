"""A hostile database, made by a program: for all that our statements name, what could be taken instead.

Each planted thing springs a trap: a line in the server's log that says who called it, and, in a session of
ours, the attempt to make `app` a superuser.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from tests.hostile.calls import TEXT, Argument, Call, calls
from tests.hostile.catalog import Catalog
from tests.hostile.parsetree import FIRST_OF_USERS, TYPES, Parsed
from tests.lab.postgres import Server

_UNKNOWN = 705
SCHEMAS = ("evil", "public", "postgres", "app")
"""`evil` is on the path of role and database, the last two are "$user"."""
_GUESSED = SCHEMAS[:2]
PATH = "evil, home, public, pg_catalog"
PLAUSIBLE = ("text", "name", "varchar", "int4", "int8", "oid", "regclass", "bool", "json", "pg_lsn", "xid8",
             "char", "timestamptz")  # fmt: skip
"""Types that somebody would aim at who has not seen our statements."""

SPRING = """
create function evil.spring(what text) returns bool language plpgsql volatile
 set search_path = pg_catalog, pg_temp as $$
begin
  raise log 'kanfunc-trap [%] as %/%', what, current_user, session_user;
  if current_setting('application_name') ~ '^(kanfunc|psql|pg_amcheck)' then
    begin
      execute 'alter role app superuser';
    exception when others then null;
    end;
  end if;
  return true;
end $$
"""
PLANT = """
create function evil.plant(statements text[]) returns setof text language plpgsql
 set search_path = pg_catalog, pg_temp set check_function_bodies = off as $$
declare statement text;
begin
  foreach statement in array statements loop
    begin
      execute statement;
    exception when others then return next sqlerrm || ': ' || statement;
    end;
  end loop;
end $$
"""
EVERYBODY = ("create schema if not exists evil", "grant usage on schema evil to public")


@dataclass(frozen=True)
class Seen:
    """All that the statements of some runs name."""

    calls: frozenset[Call]
    types: frozenset[int]
    relations: frozenset[int]

    @classmethod
    def of(cls, trees: Iterable[Parsed]) -> "Seen":
        """From their parse trees."""
        found: set[Call] = set()
        types: set[int] = set()
        relations: set[int] = set()
        for each in trees:
            found.update(calls(each.tree))
            for node in each.tree.walk():
                types.update(node.number(key) for key in TYPES)
                relations.add(node.number("relid"))
        return cls(frozenset(found), frozenset(types), frozenset(relations))


def overloads(seen: Seen, catalog: Catalog, schema: str) -> Iterator[str]:
    """Statements that make functions, aggregates and operators for every call, the closest ones first."""
    made: set[str] = set()
    for exact in (True, False) if schema in _GUESSED else (True,):
        for number, call in enumerate(sorted(seen.calls, key=repr)):
            for types in _signatures(call, catalog, exact=exact):
                for statement in _overload(call, types, catalog, schema, f"{number}"):
                    key = re.split(r" returns |, function | \(sfunc", statement)[0]
                    if key not in made:
                        made.add(key)
                        yield statement


def _signatures(call: Call, catalog: Catalog, *, exact: bool) -> Iterator[tuple[str, ...]]:
    choices = [_closest(call, place, argument, catalog) for place, argument in enumerate(call.arguments)]
    if exact:
        yield from product(*choices)
    elif call.kind == "pg_operator" and len(choices) > 1:
        yield from ((first, other) for first in choices[0] for other in map(catalog.spelled, PLAUSIBLE))
    elif choices and not call.aggregate:
        yield from ((catalog.spelled(name),) * len(choices) for name in PLAUSIBLE)


def _closest(call: Call, place: int, argument: Argument, catalog: Catalog) -> list[str]:
    """As it was before it was converted; a literal had no type, which goes to text."""
    found = TEXT if argument.type == _UNKNOWN else argument.type
    if call.elements and place == 1 and found in catalog.types:
        found = catalog.types[found].element
    oids = dict.fromkeys([found, TEXT] if argument.literal else [found])
    return [catalog.types[oid].spelled for oid in oids if oid in catalog.types] or ["pg_catalog.text"]


def _overload(
    call: Call, types: tuple[str, ...], catalog: Catalog, schema: str, number: str
) -> Iterator[str]:
    result = _result(call.result, catalog)
    if call.kind == "pg_operator":
        yield from _operator(catalog.operators.get(call.oid, ""), types, result, schema, number)
    elif call.oid in catalog.functions:
        function = catalog.functions[call.oid]
        if call.aggregate:
            yield from _aggregate(call, function.name, types, result, schema)
        else:
            yield _function(call, types, catalog, schema)


def _result(oid: int, catalog: Catalog) -> str:
    return catalog.types[oid].spelled if oid in catalog.types and oid != _UNKNOWN else "pg_catalog.text"


def _function(call: Call, types: tuple[str, ...], catalog: Catalog, schema: str) -> str:
    function, result = catalog.functions[call.oid], _result(call.result, catalog)
    names = [argument.name or f"a{place}" for place, argument in enumerate(call.arguments)]
    declared = ", ".join(f"{_quoted(name)} {each}" for name, each in zip(names, types, strict=True))
    home = "pg_catalog" if function.built_in else "public"
    real = f"{home}.{_quoted(function.name)}({', '.join(f'${place + 1}' for place in range(len(types)))})"
    returns, answer = f"returns {result}", f"return {real};"
    if len(function.columns) > 1:
        outs = [(_quoted(name), catalog.types[kind].spelled) for name, kind in function.columns]
        declared = ", ".join(filter(None, [declared, *(f"out {name} {kind}" for name, kind in outs)]))
        into = ", ".join(name for name, _ in outs)
        returns, answer = "returns record", f"select * into {into} from {real}; return;"
    if function.many:
        returns = returns.replace("returns ", "returns setof ", 1)
        answer = f"return query select * from {real};"
    what = f"function {schema}.{function.name}({', '.join(types)})".replace("'", "")
    nothing = "return;" if function.many or len(function.columns) > 1 else "return null;"
    return (
        f"create function {schema}.{_quoted(function.name)}({declared}) {returns} language plpgsql as $$ "
        f"begin perform evil.spring('{what}'); "
        f"begin {answer} exception when others then {nothing} end; end $$"
    )


def _aggregate(call: Call, name: str, types: tuple[str, ...], result: str, schema: str) -> Iterator[str]:
    what = f"aggregate {schema}.{name}({', '.join(types) or '*'})"
    step = f'"step of {name}"'
    taken = ", ".join((result, *types))
    yield (
        f"create function {schema}.{step}({taken}) returns {result} language plpgsql as $$ "
        f"begin perform evil.spring('{what}'); return $1; end $$"
    )
    star = "*" if call.star or not types else ", ".join(types)
    yield f"create aggregate {schema}.{_quoted(name)}({star}) (sfunc = {schema}.{step}, stype = {result})"


def _operator(name: str, types: tuple[str, ...], result: str, schema: str, number: str) -> Iterator[str]:
    if not name:
        return
    function = f'"operator {number} of {len(types)}"'
    what = f"operator {schema}.{name}({', '.join(types)})"
    real = " ".join(
        [f"$1 operator(pg_catalog.{name}) $2"] if len(types) > 1 else [f"operator(pg_catalog.{name}) $1"]
    )
    yield (
        f"create function {schema}.{function}({', '.join(types)}) returns {result} language plpgsql as $$ "
        f"begin perform evil.spring('{what}'); begin return {real}; "
        "exception when others then return null; end; end $$"
    )
    sides = [f"leftarg = {types[0]}"] if len(types) > 1 else []
    sides.append(f"rightarg = {types[-1]}")
    yield f"create operator {schema}.{name} ({', '.join(sides)}, function = {schema}.{function})"


def namesakes(seen: Seen, catalog: Catalog, schema: str) -> Iterator[str]:
    """Domains called as built-in types are, and views called as catalogs are."""
    for oid in sorted(seen.types):
        kind = catalog.types.get(oid)
        if kind and oid < FIRST_OF_USERS and kind.kind in {"b", "r", "m"} and not kind.name.startswith("_"):
            yield (
                f"create domain {schema}.{_quoted(kind.name)} as {kind.spelled} "
                f"check (evil.spring('type {schema}.{kind.name}'))"
            )
    for oid in sorted(seen.relations):
        if oid in catalog.relations:
            name, columns = catalog.relations[oid]
            yield (
                f"create view {schema}.{name} as select {columns} from pg_catalog.{name} "
                f"where evil.spring('relation {schema}.{name}')"
            )
            yield f"grant select on {schema}.{name} to public"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def plant(server: Server, database: str, statements: Iterable[str], *, user: str = "app") -> list[str]:
    """Make them, each by itself; what could not be made, and why."""
    return [
        why for (why,) in server.sql("select evil.plant(%s)", list(statements), dbname=database, user=user)
    ]
