"""What our statements come to in PostgreSQL: the parse trees in a server's log (`debug_print_parse`).

A statement of ours need not be told to anybody: what asks with one of our names is in the log.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.hostile.nodes import Node, read
from tests.lab.postgres import Server

PREFIX = "'kanfunc-log %p|%a|%u|%d| '"
LOGGED = {
    "debug_print_parse": "on",
    "debug_pretty_print": "off",
    "log_min_error_statement": "log",
    "log_min_messages": "warning",
    "log_line_prefix": PREFIX,
}
"""Settings of a server whose statements are to be read; %a is application_name."""
FIRST_OF_USERS = 16384
"""FirstNormalObjectId: oids below are those of initdb."""

_ENTRY = re.compile(
    r"^kanfunc-log (?P<pid>\d+)\|(?P<application>.*?)\|(?P<user>.*?)\|(?P<database>.*?)\| "
    r"(?P<level>[A-Z]+[0-9]?):  (?P<text>(?:.*\n)(?:(?!kanfunc-log ).*\n)*)",
    re.MULTILINE,
)
SUPERUSER = "postgres"
_OURS = ("kanfunc", "psql", "pg_amcheck")

_FUNCTIONS = ("funcid", "aggfnoid", "winfnoid", "opfuncid", "negfuncid", "hashfuncid",
              "startInRangeFunc", "endInRangeFunc")  # fmt: skip
_OPERATORS = ("opno", "eqop", "sortop", "opnos", "eqOperators", "sortOperators")
_RELATIONS = ("relid",)
TYPES = ("consttype", "paramtype", "funcresulttype", "opresulttype", "aggtype", "wintype", "resulttype",
         "casetype", "coalescetype", "minmaxtype", "array_typeid", "row_typeid", "typeId", "refrestype",
         "type", "firstColType", "vartype")  # fmt: skip
"""Fields that hold the type of a node's result; the first that a node has."""
_OTHER_TYPES = ("aggargtypes", "element_typeid", "refcontainertype", "refelemtype", "aggtranstype")
_CATALOGS = (
    ("pg_proc", _FUNCTIONS),
    ("pg_operator", _OPERATORS),
    ("pg_type", tuple(each for each in TYPES if each != "vartype") + _OTHER_TYPES),
    ("pg_class", _RELATIONS),
)


@dataclass(frozen=True)
class Message:
    """One entry of a log."""

    pid: str
    application: str
    user: str
    database: str
    level: str
    text: str

    @property
    def ours(self) -> bool:
        """Whether a session of ours caused it."""
        return self.application.startswith(_OURS)


@dataclass(frozen=True)
class Parsed:
    """One parse tree, and the statement that the client sent when it was made."""

    message: Message
    statement: str
    tree: Node
    made_extension: bool = False
    """Whether its session had made an extension before."""

    def objects(self) -> Iterator[tuple[str, int]]:
        """Catalog and oid of all that it names; of a user's table its columns' types do not count."""
        for node in self.tree.walk():
            for catalog, keys in _CATALOGS:
                for key in keys:
                    yield from ((catalog, oid) for oid in [node.number(key), *node.numbers(key)] if oid)


def messages(log: Path, offset: int = 0) -> list[Message]:
    """Entries of a log whose lines begin with PREFIX, from `offset` (bytes)."""
    with log.open("rb") as file:
        file.seek(offset)
        text = file.read().decode(errors="replace")
    return [Message(**found.groupdict()) for found in _ENTRY.finditer(text)]


def parsed(entries: list[Message]) -> list[Parsed]:
    """Parse trees of our statements, each once: not the rewritten ones, nor plans."""
    sessions: dict[str, list[Message]] = {}
    for entry in entries:
        if entry.ours:
            sessions.setdefault(entry.pid, []).append(entry)
    alike: set[tuple[object, ...]] = set()
    return [tree for session in sessions.values() for tree in _of_session(session, alike)]


_PLACES = re.compile(r"[\s\n]+|:(?:location|stmt_location|stmt_len) -?\d+|:constvalue \d+ \[[-\s\d]*\]")
"""What does not matter here: where something stands in a statement, and values."""


def _of_session(entries: list[Message], alike: set[tuple[object, ...]]) -> Iterator[Parsed]:
    made = False
    for place, entry in enumerate(entries):
        if entry.level == "LOG" and entry.text.strip() == "parse tree:":
            following = {each.level: each.text for each in reversed(entries[place + 1 : place + 5])}
            statement = following.get("STATEMENT", "<login>").strip()
            made = made or statement.lower().startswith("create extension")
            key = (entry.database, entry.user, made, _PLACES.sub(" ", entries[place + 1].text))
            if key not in alike:
                alike.add(key)
                [tree] = read(entries[place + 1].text)
                yield Parsed(entry, statement, tree, made)


@dataclass(frozen=True)
class Known:
    """Of one database: what belongs to the extensions that we use, and all functions that there are."""

    members: frozenset[tuple[str, int]]
    functions: frozenset[int]

    @classmethod
    def of(cls, server: Server, database: str) -> Self:
        """As it stands."""
        functions = server.sql("select oid::int8 from pg_proc", dbname=database)
        return cls(frozenset(server.sql(_MEMBERS, dbname=database)), frozenset(oid for (oid,) in functions))


_MEMBERS = """
select classid::regclass::text, objid::int8 from pg_depend join pg_extension e on e.oid = refobjid
 where deptype = 'e' and refclassid = 'pg_extension'::regclass and extname in ('amcheck', 'pg_visibility')
"""
_NOTHING = Known(frozenset(), frozenset())


_TRIGGERING = ("CREATE TEMPORARY TABLE kanfunc_login", "<login>")


def foreign(trees: list[Parsed], known: Mapping[str, Known]) -> set[tuple[str, int, str]]:
    """What our statements name that is not PostgreSQL's own: catalog, oid, statement.

    Over the network a check reads tables; what else it names is looked at all the same, but for what an event
    trigger does at the login, or where the check `login` makes its table, with the rights of who logs in.
    """
    return {
        (catalog, oid, each.statement)
        for each in trees
        for catalog, oid in each.objects()
        if oid >= FIRST_OF_USERS
        and not (
            each.message.user != SUPERUSER
            and (catalog == "pg_class" or each.statement.startswith(_TRIGGERING))
        )
        and not _of_an_extension(catalog, oid, each, known.get(each.message.database, _NOTHING))
    }


def _of_an_extension(catalog: str, oid: int, tree: Parsed, known: Known) -> bool:
    """Also of one that the session made for itself, and that is gone with it."""
    gone = catalog == "pg_proc" and tree.made_extension and oid not in known.functions
    return gone or (catalog, oid) in known.members
