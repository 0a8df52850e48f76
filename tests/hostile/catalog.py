"""Names of what parse trees hold as numbers, asked from the server that wrote them."""

from dataclasses import dataclass
from typing import Self

from tests.lab.postgres import Server

_FUNCTIONS = """
select oid::int8, proname::text, nspname = 'pg_catalog', proretset, proallargtypes::int8[],
       proargmodes::text[], proargnames::text[], prokind::text
  from (select p.*, nspname from pg_proc p join pg_namespace n on n.oid = pronamespace) as p
"""
_OPERATORS = "select oid::int8, oprname::text from pg_operator"
_TYPES = """
select t.oid::int8, format('%I.%I', nspname, typname), typname::text, typtype::text, typelem::int8
  from pg_type t join pg_namespace n on n.oid = typnamespace
"""
_RELATIONS = """
select c.oid::int8, relname::text, string_agg(quote_ident(attname), ', ' order by attnum)
  from pg_class c join pg_attribute a on attrelid = c.oid
 where relkind in ('r', 'v') and c.oid < 16384 and attnum > 0 and atttypid <> 'anyarray'::regtype
 group by c.oid
"""


@dataclass(frozen=True)
class Function:
    """columns: of a function whose result is a row, name and type of each."""

    name: str
    built_in: bool
    many: bool
    columns: tuple[tuple[str, int], ...]
    kind: str


@dataclass(frozen=True)
class Type:
    """spelled: with its schema. kind: pg_type.typtype. element: of an array, 0 elsewhere."""

    spelled: str
    name: str
    kind: str
    element: int


@dataclass(frozen=True)
class Catalog:
    """By oid."""

    functions: dict[int, Function]
    operators: dict[int, str]
    types: dict[int, Type]
    relations: dict[int, tuple[str, str]]
    """Name, and the columns that a view of it can have."""

    @classmethod
    def of(cls, server: Server) -> Self:
        """As database `app` has them."""
        functions = {
            oid: Function(name, built_in, many, _columns(types, modes, names), kind)
            for oid, name, built_in, many, types, modes, names, kind in server.sql(_FUNCTIONS, dbname="app")
        }
        types = {oid: Type(*rest) for oid, *rest in server.sql(_TYPES, dbname="app")}
        relations = {oid: (name, columns) for oid, name, columns in server.sql(_RELATIONS)}
        return cls(functions, dict(server.sql(_OPERATORS)), types, relations)

    def spelled(self, name: str) -> str:
        """A built-in type, as this version quotes it."""
        return next(
            each.spelled
            for each in self.types.values()
            if each.name == name and each.spelled.startswith("pg_catalog.")
        )


def _columns(
    types: list[int] | None, modes: list[str] | None, names: list[str] | None
) -> tuple[tuple[str, int], ...]:
    every = zip(types or (), modes or (), names or (), strict=True) if types and names else ()
    return tuple((name, kind) for kind, mode, name in every if mode in {"o", "b", "t"})
