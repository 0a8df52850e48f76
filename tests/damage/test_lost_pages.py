"""Which pages the look for lost ones tells of, wherever they lie in a file, and which it does not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client

from kanfunc.domain.examination import Examination, ExaminationLimits
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.structure import PodStructure
from tests.builders import REF
from tests.damage.kinds import write
from tests.damage.restoring import PAGE
from tests.lab.apiserver import NAMESPACES, PODS, ApiServer, Store
from tests.lab.binaries import Binaries
from tests.lab.certificates import Authority
from tests.lab.postgres import Server
from tests.lab.workspace import Workspace

pytestmark = pytest.mark.lab

FLAGS, ALL_VISIBLE = 10, 4
"""pd_flags of a page, and PD_ALL_VISIBLE in it (bufpage.h)."""
POD = "pg-1"
Look = Callable[[], Examination]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace.open() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Server:
    server = Server(
        workspace,
        Binaries.find(workspace),
        name=POD,
        volume=workspace.directory("data"),
        tablespaces={"hot": workspace.directory("hot")},
        tls=Authority.create().instance(["pg-rw"]),
    )
    server.initdb()
    server.configure()
    server.start(standby=False)
    server.create_roles()
    server.create_tablespaces()
    return server


@pytest.fixture
def look(server: Server) -> Iterator[Look]:
    store = Store()
    store.create(NAMESPACES, {"metadata": {"name": REF.namespace}})
    containers = [{"name": "postgres", "image": "none"}]
    metadata = {"name": POD, "namespace": REF.namespace}
    store.create(PODS, {"metadata": metadata, "spec": {"containers": containers}})
    with ApiServer(store, server.exec) as api:
        structure = PodStructure(PodExec(client.Configuration(host=api.url)))

        def examine() -> Examination:
            run = Examination()
            with structure.examining(REF, POD, ExaminationLimits(), amcheck=True) as follow:
                follow(run.read)
            assert run.looks_ended
            assert [*run.uncounted.first, *run.problems.first, *run.unmade.first] == []
            return run

        yield examine


def vacuumed(server: Server, name: str, pages: int, options: str = "") -> Path:
    """A table of so many pages with a row each, all of them visible; its file."""
    row = f"n as number, repeat('x', 600) as filler from generate_series(1, {pages}) as n"
    server.sql(f"create table {name} with (fillfactor = 10) {options} as select {row}")
    server.sql(f"vacuum {name}")
    return path(server, name)


def path(server: Server, name: str) -> Path:
    [(found,)] = server.sql("select pg_relation_filepath(%s)", name)
    return server.pgdata / str(found)


LOST = {
    "first_page": ((0,), ""),
    "last_page_of_a_piece": ((127,), ""),
    "first_page_of_the_next": ((128,), ""),
    "page_after_the_last_whole_piece": ((399,), ""),
    "whole_piece_and_more": (tuple(range(128, 258)), ""),
    '"Tabelle s"': ((5, 140), ""),
    "elsewhere": ((50,), "tablespace hot"),
}
"""By the name of a table of 400 pages, which are read in pieces of 128; with what options."""


def test_lost_pages_are_told_with_the_first_of_them(server: Server, look: Look) -> None:
    lost = {f"public.{name}": blocks for name, (blocks, _) in LOST.items()}
    files = {f"public.{name}": vacuumed(server, name, 400, options) for name, (_, options) in LOST.items()}
    server.sql("create table toasted as select n, repeat(n::text, 10) as value from generate_series(1, 9) n")
    server.sql("alter table toasted alter value set storage external")
    server.sql("update toasted set value = repeat('y', 20000)")
    server.sql("create materialized view summary as select * from first_page")
    server.sql("vacuum toasted, summary")
    [(toast,)] = server.sql("select reltoastrelid::regclass::text from pg_class where relname = 'toasted'")
    lost |= {toast: (2,), "public.summary": (0,)}
    files |= {name: path(server, name) for name in (toast, "public.summary")}
    assert not look().differing.count
    server.stop()
    for name, blocks in lost.items():
        for block in blocks:
            write(files[name], block * PAGE, bytes(PAGE))
    server.start(standby=False)
    differing = look().differing
    assert sorted(differing.first) == sorted(
        f"postgres: {name} has lost {len(blocks)} pages, the first is {blocks[0]}"
        for name, blocks in lost.items()
    )
    server.sql("drop schema public cascade; create schema public")


def test_what_the_files_do_not_show_yet_is_not_lost(server: Server, look: Look) -> None:
    """VACUUM's work is in memory; in the files its pages are as they were before."""
    server.adjust(bgwriter_lru_maxpages="0")
    file = vacuumed(server, "fresh", 70)
    server.sql("update fresh set number = 0 where number > 30")
    server.sql("checkpoint")
    server.sql("vacuum fresh")
    assert any(not block[FLAGS] & ALL_VISIBLE for block in pages(file))
    assert not look().differing.count


def test_pages_that_are_not_visible_are_not_lost(server: Server, look: Look) -> None:
    file = vacuumed(server, "changed", 100)
    server.sql("update changed set number = 0 where number % 3 = 0")
    server.sql("checkpoint")
    assert any(not block[FLAGS] & ALL_VISIBLE for block in pages(file))
    assert not look().differing.count


def pages(file: Path) -> Iterator[bytes]:
    data = file.read_bytes()
    return (data[start : start + PAGE] for start in range(0, len(data), PAGE))


@pytest.mark.parametrize(
    "name", ["a b", "port=1", "new\nline", "ends\n", "-n", "123", "Größe", "it's", '"', "$(id)"]
)
def test_every_database_is_looked_into_whatever_its_name(server: Server, look: Look, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    server.sql(f"create database {quoted}")
    server.sql("create table vast as select n from generate_series(1, 1000) n", dbname=name)
    server.sql("vacuum vast", dbname=name)
    [(file,)] = server.sql("select pg_relation_filepath('vast')", dbname=name)
    server.stop()
    write(server.pgdata / str(file), PAGE, bytes(PAGE))
    server.start(standby=False)
    assert look().differing.first == [f"{name}: public.vast has lost 1 pages, the first is 1"]
    server.sql(f"drop database {quoted}")
