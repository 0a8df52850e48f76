"""Every kind of damage, and the depth that finds it. docs/verification.md shows this very table."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.damage.restoring import DATABASE, PAGE, Copy
from tests.lab.postgres import Server
from tests.lab.storage import copy
from tests.scenarios.protected import ELECTED

START: Final = "PostgreSQL"
"""It does not come up, so there is nothing to verify: exit code 1."""
IDENTITY: Final = "identity"
STRUCTURE: Final = "structure"
CONTENT: Final = "content"
NOTHING: Final = "nothing"

MARK = "kanfunc-mark.json"
BLOCK = 10
"""Of tables: one in the middle."""


@dataclass(frozen=True)
class Found:
    """The first depth that finds it, and the check that does; `warns`: it does not spoil the verdict."""

    depth: str
    check: str = ""
    warns: bool = False


@dataclass(frozen=True)
class Kind:
    """`do` damages the copy before it comes up, `then` the database afterwards. Checksums on and off."""

    name: str
    on: Found
    off: Found
    do: Callable[[Copy], object] = lambda _: None
    then: Callable[[Server], object] | None = None


AMCHECK = Found(STRUCTURE, "tables and b-trees (amcheck)")
LOST = Found(STRUCTURE, "lost pages")
FILES = Found(STRUCTURE, "files of relations")
ITEMS, DOCUMENTS, UNVACUUMED = (Found(CONTENT, table) for table in ("items", "documents", "unvacuumed"))
"""By the fingerprint of that table, which somebody wrote down before; by nothing else."""


def flip(path: Path, offset: int, bits: int = 0x40) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        [byte] = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ bits]))


def write(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def page(path: Path, block: int) -> bytes:
    with path.open("rb") as file:
        file.seek(block * PAGE)
        return file.read(PAGE)


def item(path: Path, block: int, number: int) -> int:
    """Where in the file the item of that line pointer lies (bufpage.h)."""
    pointer = int.from_bytes(page(path, block)[24 + 4 * number :][:4], "little")
    return block * PAGE + (pointer & 0x7FFF)


def flip_key(found: Copy) -> None:
    """The third byte of a bigint key, behind the 8 bytes of an index tuple's head."""
    index = found.file("items_pkey")
    flip(index, item(index, 3, 20) + 8 + 2)


def truncate(found: Copy) -> None:
    table = found.file("items")
    with table.open("r+b") as file:
        file.truncate(table.stat().st_size - 10 * PAGE)


def swap_pages(found: Copy) -> None:
    table = found.file("items")
    first, second = page(table, BLOCK), page(table, BLOCK + 2)
    write(table, BLOCK * PAGE, second)
    write(table, (BLOCK + 2) * PAGE, first)


def stale_page(found: Copy) -> None:
    """The last page of a table as it was at the fence before; its checksum is that of the older page."""
    older = found.backups.earlier.data[ELECTED] / "pgdata" / found.backups.files["items"]
    last = older.stat().st_size // PAGE - 1
    table = found.file("items")
    replacement = page(older, last)
    assert replacement != page(table, last)
    write(table, last * PAGE, replacement)


def claim_visible(found: Copy) -> None:
    """Every bit of the map of a table that has dead rows."""
    write(found.file("sparse", "_vm"), 24, b"\xff" * 8)


def empty_tablespace(found: Copy) -> None:
    shutil.rmtree(found.tablespace / "hot")


def new_tablespace(found: Copy) -> None:
    """A new volume instead of the one that was backed up."""
    empty_tablespace(found)
    (found.tablespace / MARK).unlink()


def marks(found: Copy) -> list[Path]:
    return [volume / MARK for volume in (found.data, found.wal, found.tablespace)]


def edit_marks(found: Copy, edit: Callable[[dict[str, object]], object]) -> None:
    for file in marks(found):
        mark = json.loads(file.read_text())
        edit(mark)
        file.write_text(json.dumps(mark))


def edit_end(found: Copy) -> None:
    edit_marks(found, lambda mark: mark["proof"].update(end_of_wal="0/1"))  # type: ignore[attr-defined]  # JSON


def garble_marks(found: Copy) -> None:
    for file in marks(found):
        file.write_text(file.read_text()[:-20])


def cut_wal(found: Copy) -> None:
    """Zeros from somewhat before the end that the mark names."""
    end = json.loads(marks(found)[0].read_text())["proof"]["end_of_wal"]
    timeline = json.loads(marks(found)[0].read_text())["proof"]["timeline"]
    high, low = (int(half, 16) for half in end.split("/"))
    size = 16 << 20
    segment = found.wal / "pg_wal" / f"{timeline:08X}{high:08X}{low // size:08X}"
    write(segment, low % size - 200, b"\0" * 4096)
    found.patience = 3


def all_of(found: Copy, source: str) -> None:
    for volume in found.backups.later.data:
        found.exchange(volume, getattr(found.backups, source))


def older_snapshot(found: Copy) -> None:
    found.expected = json.loads(marks(found)[0].read_text())["id"]
    all_of(found, "earlier")


def mixed_fences(found: Copy) -> None:
    """WAL of the later fence, data of the earlier one."""
    for volume in (ELECTED, f"{ELECTED}-tbs-hot"):
        found.exchange(volume, found.backups.earlier)


def stranger(found: Copy) -> None:
    """Another database, beside our mark."""
    pgdata = found.data / "pgdata"
    shutil.rmtree(pgdata)
    copy(found.backups.stranger / "pgdata", pgdata)
    shutil.rmtree(found.wal / "pg_wal")
    shutil.move(pgdata / "pg_wal", found.wal / "pg_wal")
    (pgdata / "pg_wal").symlink_to(found.wal / "pg_wal")
    found.recovery = False


def hot(found: Copy, *, recovery: bool, marked: bool = False) -> None:
    """A copy of the running replica; `marked`: its volumes still carry the mark of the fence before."""
    old = [file.read_text() for file in marks(found)]
    all_of(found, "hot")
    if marked:
        for file, text in zip(marks(found), old, strict=True):
            file.write_text(text)
    found.recovery = recovery


def as_crashed(found: Copy) -> None:
    found.recovery = False


def sql(*statements: str) -> Callable[[Server], object]:
    return lambda server: [server.sql(statement, dbname=DATABASE) for statement in statements]


def lose_segment(server: Server) -> None:
    """A table of more than a segment, mostly holes, loses its second file."""
    create = "create table giant (id int primary key, payload text) with (autovacuum_enabled = off)"
    sql(create, "insert into giant select g, 'x' from generate_series(1, 10) g", "checkpoint")(server)
    [(path,)] = server.sql("select pg_relation_filepath('giant')", dbname=DATABASE)
    server.stop()
    with (server.pgdata / path).open("r+b") as file:
        file.truncate(1 << 30)
    server.start(standby=False)
    sql("insert into giant select g, 'x' from generate_series(11, 2000) g", "vacuum giant")(server)
    server.stop()
    (server.pgdata / f"{path}.1").unlink()
    server.start(standby=False)


def same(found: Found) -> tuple[Found, Found]:
    return found, found


KINDS = (
    Kind("none at all", *same(Found(NOTHING))),
    Kind(
        "byte flipped in a row's value",
        AMCHECK,
        ITEMS,
        lambda c: flip(c.file("items"), (BLOCK + 1) * PAGE - 9),
    ),
    Kind(
        "line pointer of a table's page garbled",
        *same(AMCHECK),
        lambda c: write(c.file("items"), BLOCK * PAGE + 24, b"\xff\x7f\xff\x7f"),
    ),
    Kind("byte flipped in a key of an index", *same(AMCHECK), flip_key),
    Kind("byte flipped in a TOAST value", AMCHECK, DOCUMENTS, lambda c: flip(c.file("toast"), PAGE - 9)),
    Kind(
        "byte flipped in a visibility map, which then calls pages less visible (harmless)",
        Found(STRUCTURE, "data checksums"),
        Found(NOTHING),
        lambda c: flip(c.file("items", "_vm"), 25, 0xFF),
    ),
    Kind(
        "visibility map that calls dead rows visible",
        Found(STRUCTURE, "data checksums"),
        LOST,
        claim_visible,
    ),
    Kind(
        "byte flipped in a GIN index",
        *same(Found(NOTHING)),
        lambda c: flip(c.file("documents_gin"), 2 * PAGE - 40),
    ),
    Kind(
        "byte flipped in pg_control",
        *same(Found(START)),
        lambda c: flip(c.data / "pgdata" / "global" / "pg_control", 100),
    ),
    Kind(
        "zeroed page of a vacuumed table",
        *same(LOST),
        lambda c: write(c.file("items"), BLOCK * PAGE, b"\0" * PAGE),
    ),
    Kind(
        "zeroed page of a table that was never vacuumed",
        *same(UNVACUUMED),
        lambda c: write(c.file("unvacuumed"), BLOCK * PAGE, b"\0" * PAGE),
    ),
    Kind(
        "zeroed page of an index",
        *same(AMCHECK),
        lambda c: write(c.file("items_pkey"), 3 * PAGE, b"\0" * PAGE),
    ),
    Kind("two pages of a table exchanged", AMCHECK, Found(NOTHING), swap_pages),
    Kind("page of a table as it was at an older fence", *same(ITEMS), stale_page),
    Kind("table cut short", *same(FILES), truncate),
    Kind("file of a table missing", *same(FILES), lambda c: c.file("items").unlink()),
    Kind("second segment of a table missing", *same(FILES), then=lose_segment),
    Kind(
        "tablespace volume empty but for its mark", *same(Found(STRUCTURE, "tablespaces")), empty_tablespace
    ),
    Kind("tablespace volume replaced by a new one", *same(Found(IDENTITY, "mark")), new_tablespace),
    Kind("WAL cut near its end", *same(Found(START)), cut_wal),
    Kind("volume of another cluster, with our mark", *same(Found(IDENTITY, "system identifier")), stranger),
    Kind("older snapshot of the same cluster", *same(Found(IDENTITY, "mark")), older_snapshot),
    Kind("WAL and data volumes of different fences", *same(Found(IDENTITY, "mark")), mixed_fences),
    Kind("hot copy, started with recovery", *same(Found(IDENTITY, "mark")), lambda c: hot(c, recovery=True)),
    Kind(
        "hot copy, started without recovery", *same(Found(IDENTITY, "mark")), lambda c: hot(c, recovery=False)
    ),
    Kind(
        "hot copy of volumes that carry an old mark",
        *same(Found(IDENTITY, "end point")),
        lambda c: hot(c, recovery=True, marked=True),
    ),
    Kind("proven copy, started without recovery", *same(Found(IDENTITY, "end point")), as_crashed),
    Kind("mark edited", *same(Found(IDENTITY, "end point")), edit_end),
    Kind("mark that cannot be read", *same(Found(IDENTITY, "mark")), garble_marks),
    Kind("rows deleted after the promotion", *same(ITEMS), then=sql("delete from items where id > 4000")),
    Kind(
        "sequence reset",
        *same(Found(CONTENT, "sequences")),
        then=sql("select setval('items_id_seq', 1)"),
    ),
    Kind("extension dropped", *same(Found(CONTENT, "extension")), then=sql("drop extension pgcrypto")),
    Kind(
        "invalid index",
        *same(Found(STRUCTURE, "valid indexes", warns=True)),
        then=sql("update pg_index set indisvalid = false where indexrelid = 'documents_gin'::regclass"),
    ),
    Kind(
        "collation version of another operating system",
        *same(Found(STRUCTURE, "collation versions", warns=True)),
        then=sql("update pg_database set datcollversion = '1' where datname = 'app'"),
    ),
    Kind(
        "constraint that was never validated",
        *same(Found(STRUCTURE, "validated constraints", warns=True)),
        then=sql("alter table items add constraint short check (length(payload) < 5) not valid"),
    ),
)
