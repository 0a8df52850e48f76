"""What catalogs and file sizes of a restored database say of its structure. Pure judgement of facts."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from kanfunc.domain.finding import Finding, Status, Tier
from kanfunc.domain.record import Proof


class Names(msgspec.Struct, frozen=True):
    """How many there are, and the first of them by name."""

    count: int
    first: tuple[str, ...]


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """One database; `lists` are what is remarkable in it. `bytes` is the size of all its relations.

    amcheck: its extension is installed. failure: what PostgreSQL said where the catalogs could not be read.
    """

    name: str
    bytes: int = 0
    amcheck: bool = False
    lists: Mapping[str, Names] = msgspec.field(default_factory=dict)
    failure: str = ""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster and its databases. program: pg_amcheck is there; closed: databases without connections."""

    version: str
    checksums: bool
    program: bool
    closed: tuple[str, ...]
    tablespaces: int
    lost_tablespaces: tuple[str, ...]
    databases: tuple[Database, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all relations."""
        return sum(database.bytes for database in self.databases)

    @property
    def without_amcheck(self) -> tuple[str, ...]:
        """Names of the databases that pg_amcheck cannot look into."""
        return tuple(each.name for each in self.databases if not (each.amcheck or each.failure))

    def listed(self, *lists: str) -> Names:
        """All of these lists, of all databases, with the name of the database before each name."""
        pairs = ((each.name, each.lists.get(key)) for each in self.databases for key in lists)
        found = [(database, names) for database, names in pairs if names]
        first = (f"{database}: {name}" for database, names in found for name in names.first)
        return Names(sum(names.count for _, names in found), tuple(first))


def structural(check: str, status: Status, found: str, *, expected: str = "", meaning: str = "") -> Finding:
    """A finding of this depth; what it means is only told where it is not good."""
    good = status is Status.PASSED
    return Finding(
        check=check,
        tier=Tier.STRUCTURE,
        status=status,
        found=found,
        expected="" if good else expected,
        meaning="" if good else meaning,
    )


def unseen(reason: str) -> Finding:
    """The one finding where not even the catalogs could be looked at."""
    meaning = f"nothing of the structure is known: {reason}"
    return structural("structure", Status.NOT_CHECKED, "not looked at", meaning=meaning)


def told(names: Iterable[str], count: int | None = None, *, most: int = 5) -> str:
    """Names for a person, the first of them only.

    >>> told("abcdefg", most=2), told(["a"]), told(["a", "b"], 90)
    ('a, b and 5 more', 'a', 'a, b and 88 more')
    """
    known = list(names)
    more = (len(known) if count is None else count) - len(known[:most])
    return ", ".join(known[:most]) + (f" and {more} more" if more else "")


def judge_survey(survey: Survey, proof: Proof | None) -> list[Finding]:
    """All that needs no reading of tables. proof: of the mark, which knows the version that was fenced."""
    return [
        _version(survey, proof),
        _tablespaces(survey),
        _sizes(survey),
        _files_of_extensions(survey),
        *(remark(survey.listed(key), check, meaning) for check, key, meaning in _REMARKS),
        _readable(survey),
        _open(survey),
    ]


def _version(survey: Survey, proof: Proof | None) -> Finding:
    check, fenced = "PostgreSQL version", proof.server_version if proof else ""
    if not fenced:
        return structural(
            check,
            Status.WARNING,
            survey.version,
            expected="the version in the mark",
            meaning="the mark does not say which version was fenced: compare them by hand",
        )
    old, new = numbers_of(fenced), numbers_of(survey.version)
    good = old[:1] == new[:1] and new >= old
    return structural(
        check,
        Status.PASSED if good else Status.WARNING if old[:1] == new[:1] else Status.FAILED,
        survey.version,
        expected=f"{fenced}, or a later minor version",
        meaning="the database runs on another major version than the one that wrote it"
        if old[:1] != new[:1]
        else "the database runs on an older minor version than the one that wrote it: known defects are back",
    )


def numbers_of(version: str) -> tuple[int, ...]:
    """The numbers of a version.

    >>> numbers_of("15.18 (Debian 15.18-0+deb12u1)"), numbers_of("18beta1")
    ((15, 18), (18,))
    """
    number = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in number[0].split(".")) if number else ()


def _tablespaces(survey: Survey) -> Finding:
    lost = survey.lost_tablespaces
    return structural(
        "tablespaces",
        Status.FAILED if lost else Status.PASSED,
        f"without their files: {told(lost)}" if lost else f"{survey.tablespaces}, with their files",
        expected="every tablespace has its files",
        meaning="a volume of a tablespace was not restored, or not mounted: all tables in it are lost",
    )


def _sizes(survey: Survey) -> Finding:
    lost = survey.listed("short", "missing")
    return structural(
        "files of relations",
        Status.FAILED if lost.count else Status.PASSED,
        f"missing or too short: {told(lost.first, lost.count)}"
        if lost.count
        else f"{survey.size} bytes in {len(survey.databases)} databases",
        expected="every table and index has its file, no shorter than the last VACUUM or ANALYZE saw it",
        meaning="a file was lost or cut off: rows are gone, and queries need not complain",
    )


def _files_of_extensions(survey: Survey) -> Finding:
    lost = survey.listed("lost_extensions")
    return structural(
        "files of extensions",
        Status.FAILED if lost.count else Status.PASSED,
        f"not in this image: {told(lost.first, lost.count)}" if lost.count else "all there",
        expected="the image has the files of every extension that is installed",
        meaning="the restored cluster runs on an image that lacks them: their functions and types will fail",
    )


_REMARKS = (
    (
        "valid indexes",
        "invalid_indexes",
        "an index that was never finished, or came so from the source: no query uses it. REINDEX or drop it",
    ),
    (
        "validated constraints",
        "unvalidated",
        "a constraint that nobody has validated: rows may break it. VALIDATE it, or look at them",
    ),
    (
        "collation versions",
        "collations",
        (
            "the operating system of this image may sort in another way than the one before. amcheck sees to "
            "the order in b-trees, not in other indexes, partitions and constraints. REINDEX, then REFRESH "
            "VERSION"
        ),
    ),
    (
        "vacuumed tables",
        "not_vacuumed",
        ("a lost page is noticed in tables that were vacuumed before the backup; in these it is not"),
    ),
    (
        "kinds of indexes",
        "other_indexes",
        "amcheck looks into b-trees only: damage to these indexes shows when they are used, or never",
    ),
)
"""Facts that need a person's eye and say nothing against this being the database that was fenced."""


def remark(names: Names, check: str, meaning: str) -> Finding:
    """What needs a person's eye, a warning where there is any."""
    return structural(
        check,
        Status.WARNING if names.count else Status.PASSED,
        told(names.first, names.count) if names.count else "nothing to remark",
        expected="none",
        meaning=meaning,
    )


def _readable(survey: Survey) -> Finding:
    bad = [f"{each.name}: {each.failure}" for each in survey.databases if each.failure]
    return structural(
        "catalogs",
        Status.FAILED if bad else Status.PASSED,
        told(bad) if bad else f"of {len(survey.databases)} databases",
        expected="the catalogs of every database can be read",
        meaning="this database is of no use: try an older restore point",
    )


def _open(survey: Survey) -> Finding:
    closed = survey.closed
    return structural(
        "databases that allow connections",
        Status.NOT_CHECKED if closed else Status.PASSED,
        f"closed: {told(closed)}" if closed else f"{len(survey.databases)}",
        expected="all but template0",
        meaning="nothing in a database that allows no connections was looked at",
    )
