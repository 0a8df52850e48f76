"""What a bench holds: odd names, values of every form, pages that are broken; and a German locale."""

import os
import subprocess
from pathlib import Path

from tests.lab.postgres import Server
from tests.lab.workspace import LabError, Workspace

ODD = "a=b ö"
DATABASES = ("app", "postgres", "template1", ODD)
GERMAN = "de_DE.UTF-8"
PAGE = 8192
CONTENT = """
create type colour as enum ('red', 'green');
create table items (id serial primary key, payload text, hue colour,
  changed timestamptz default '2026-01-01 00:00Z',
  amount numeric, price money, lasts interval, raw bytea, part float8, day date, doc xml);
insert into items (payload, hue, amount, price, lasts, raw, part, day, doc)
 select 'pay "load" é ' || n, 'red', n / 7.0, n::numeric::money, make_interval(days => n), '\\x0102',
        n / 3.0::float8, date '2026-02-03', '<a/>' from generate_series(1, 300) as n;
create table "größe" (id int primary key) with (autovacuum_enabled = off);
create table broken (id int, filler text);
insert into broken select n, repeat('x', 600) from generate_series(1, 100) as n;
create table flipped (id int, filler text);
insert into flipped select n, repeat('x', 600) from generate_series(1, 100) as n;
create function explodes(int) returns bool language plpgsql immutable as
 $$ begin raise 'evaluated though nothing was inserted'; end $$;
create table explosive (id serial primary key, check (explodes(1)))
"""
PLANTED = """create schema evil;
grant usage on schema evil to public;
create view evil.pg_database as select * from pg_catalog.pg_database where false;
create view evil.pg_extension as select * from pg_catalog.pg_extension where false;
grant select on all tables in schema evil to public"""
"""What takes the place of catalogs where `evil` comes first."""
CHECKS = """
checks:
  - {name: query, kind: query,
     query: 'select amount, price, lasts, raw, part, day, changed from items where id = 3',
     expect: {equals: 1}}
  - {name: xml, kind: query, query: 'select xmlelement(name it, raw) from items where id = 3',
     expect: {equals: x}}
  - {name: shown, kind: query, query: 'show server_encoding;', expect: {equals: UTF8}}
  - {name: path, kind: query, query: 'select count(*) from items', expect: {at_least: 1}}
  - {name: fresh, kind: freshness, query: select max(changed) from items, max_age: 10d}
  - {name: extensions, kind: extensions, required: [plpgsql, nowhere]}
  - {name: roles, kind: roles, required: [app, nobody]}
  - {name: count, kind: table, table: items, count: 1}
  - {name: sequences, kind: sequences}
  - {name: fingerprint, kind: table, table: items, fingerprint: '%s'}
""" % ("0" * 64)


def german(workspace: Workspace) -> Path | None:
    """A folder with a German locale: messages of the Debian packages are translated. None: no sources of it.

    Raises LabError where there must be some.
    """
    folder = workspace.directory("locales")
    done = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / GERMAN)],
        capture_output=True,
        text=True,
        check=False,
    )
    if (folder / GERMAN).is_dir():
        return folder
    if "CI" in os.environ:
        raise LabError(f"no German locale can be made (Debian: locales): {done.stderr}")
    return None


def break_pages(primary: Server) -> None:
    """Whoever reads them is told of an error, in the language and the way that are set.

    One is no page at all; of the other its checksum alone tells.
    """
    paths = [
        primary.sql(f"select pg_relation_filepath('{name}')", dbname="app")[0][0]
        for name in ("broken", "flipped")
    ]
    primary.stop()
    for path, place, length in zip(paths, (PAGE, 2 * PAGE - 100), (PAGE, 10), strict=True):
        with (primary.pgdata / path).open("r+b") as file:
            file.seek(place)
            file.write(b"\1" * length)
    primary.start(standby=False)
