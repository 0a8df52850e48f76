"""One cluster through every verb: first as it is, then hostile; and what each run came to."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.hostile import attached, planting, settings
from tests.hostile.catalog import Catalog
from tests.hostile.conftest import log_trees
from tests.hostile.outcomes import RIGHTS, Outcome, Run, diagnoses, finding, said_by
from tests.hostile.parsetree import Known, Parsed, messages, parsed
from tests.installed import install
from tests.lab.certificates import APPLICATION_ROLE
from tests.lab.lab import Completed, Lab
from tests.lab.operator.names import CNPG
from tests.lab.postgres import Server
from tests.lab.workspace import LabError
from tests.scenarios.protected import Protected
from tests.scenarios.test_watchdog import running

NAMESPACE = "hostile"
DATABASES = ("app", "postgres", "template1")
MADE = "made"
"""A database that was made of template1, and belongs to `app`."""

_CONTENT = """
create schema home;
create table home.whereabouts as select 'home'::text as here;
create type colour as enum ('red', 'green');
create table items (id serial primary key, payload text, hue colour, "kanfunc row" text, changed timestamptz);
insert into items (payload, hue, changed)
 select 'payload ' || n, 'red', '2026-01-01 00:00:00+00' from generate_series(1, 500) as n;
create table other (id int primary key, amount numeric, price money, lasts interval, raw bytea, part float8);
insert into other select n, n / 7.0, n::numeric::money, make_interval(days => n), '\\x0102', n / 3.0::float8
 from generate_series(1, 50) as n
"""
_CHECKS = """
defaults: {database: app, user: app, timeout: 30s}
checks:
  - {name: login, kind: login, method: certificate}
  - {name: rows, kind: query, query: 'select id, payload from public.items where id operator(pg_catalog.=) 1',
     expect: {rows: [[1, payload 1]]}}
  - {name: count, kind: query, query: select pg_catalog.count(*) from public.items, expect: {at_least: 1}}
  - {name: the path of its user, kind: query, query: select here from whereabouts, expect: {equals: home}}
  - {name: fresh, kind: freshness, query: select pg_catalog.max(changed) from public.items, max_age: 3650d}
  - {name: extensions, kind: extensions, required: [plpgsql]}
  - {name: no extension, kind: extensions, required: [plpgsql, nowhere]}
  - {name: roles, kind: roles, required: [app]}
  - {name: no role, kind: roles, required: [app, nobody]}
  - {name: table, kind: table, table: items, count: 500}
"""
_PATIENCE, _LATE = 60.0, 124
_FINGERPRINTED = ("items", "other")


class Story:
    """A cluster of CloudNativePG, which nobody but kanfunc elects on."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        self.version = int(lab.binaries.version.partition(".")[0])
        asked = {"kanfunc.io/addons": '["kasten"]'}
        lab.create_cluster(NAMESPACE, dialect=CNPG, addons=None, annotations=asked)
        self.cluster = Protected(lab, NAMESPACE, dialect=CNPG)
        install(lab.store, NAMESPACE)
        for server in self.servers():
            log_trees(server)
        for statement in _CONTENT.strip().split(";\n"):
            self.primary.sql(statement, dbname="app", user="app")
        self.primary.sql("vacuum", dbname="app", user="app")
        self.primary.sql("alter role app set search_path = home, public", user="app")
        self.primary.sql(f"create database {MADE} owner app")
        self._known = dict.fromkeys(_FINGERPRINTED, "0" * 64)
        self._shown = self._credentials()
        self._read: dict[Path, int] = {}

    @property
    def primary(self) -> Server:
        return self.lab.primary(NAMESPACE, self.cluster.name)

    def servers(self) -> list[Server]:
        status = self.cluster.manifest["status"]
        names = status.get("instanceNames") or [f"{self.cluster.name}-{n}" for n in (1, 2, 3)]
        return [self.lab.server(NAMESPACE, name) for name in names]

    def run(self) -> Run:
        """Every verb, on the cluster as it stands."""
        done = Run()
        self._log(done)  # what came before is not of this run
        done.messages.clear()
        start = time.monotonic()
        for name, outcome in self._verbs():
            done.seconds[name] = round(time.monotonic() - start, 1)
            start = time.monotonic()
            done.outcomes[name] = outcome
            done.rights[name] = self.primary.sql(RIGHTS)
        self._log(done)
        done.trees = parsed(done.messages)
        return done

    def _verbs(self) -> Iterator[tuple[str, Outcome]]:
        cluster = self.cluster
        yield "elect", said_by(self._kanfunc("elect"))
        yield "doctor", diagnoses(self._kanfunc("doctor", "--format", "json"))
        yield "fence", said_by(self._kanfunc("fence"))
        yield "status", said_by(self._kanfunc("status"))
        yield "unfence", said_by(self._kanfunc("unfence", "--outcome", "failure"))
        cluster.await_healthy()
        yield "watchdog", self._watched()
        action = cluster.back_up()
        yield "backup", Outcome(1 if action.error else 0, [], action.error or "")
        if action.restore_point:
            cluster.restored(self.lab.kasten.export(action.restore_point))
        cluster.await_healthy()
        yield "identity", self._verified()
        yield "structure", self._verified("--depth", "structure")
        yield "install", self._verified("--depth", "structure", "--install-amcheck")
        if "0" * 64 in self._known.values():
            self._verified(*self._content())  # which tells the fingerprints
        yield "content", self._verified(*self._content())

    def _kanfunc(self, verb: str, *options: str) -> Completed:
        """One that does not end is as bad as one that fails."""
        try:
            return self.lab.kanfunc(verb, "--namespace", NAMESPACE, *options, timeout=_PATIENCE)
        except subprocess.TimeoutExpired as late:
            return subprocess.CompletedProcess(late.cmd, _LATE, "", "")

    def _watched(self) -> Outcome:
        """It ends a fence whose deadline is over."""
        with running(self.lab, "--patience", "2") as watchdog:
            fenced = self._kanfunc("fence")
            with suppress(LabError):  # what did not happen is not in its log
                if fenced.returncode == 0:
                    self.cluster.expire()
                    self.lab.wait_for("the fence to go", lambda: not self.cluster.fenced)
                    self.cluster.await_healthy()
            code, log = watchdog.ended()
        said = [(str(line.get("step")),) for line in map(json.loads, log.splitlines()) if "step" in line]
        return Outcome(code or fenced.returncode, sorted(set(said)), log + fenced.stderr)

    def _verified(self, *options: str) -> Outcome:
        done = self._kanfunc(
            "verify-restore", "--clock-tolerance", "0", "--structure-timeout", "20", *options
        )
        said = []
        for line in done.stdout.splitlines():
            if line.startswith("###Phase-output###: "):
                pair = json.loads(line.partition(": ")[2])
                if pair["key"] == "report":
                    said = [finding(each) for each in json.loads(pair["value"])["findings"]]
        for check, *_, found in said:
            if (known := re.search("fingerprint ([0-9a-f]{64})", found)) and not self._known[check].strip(
                "0"
            ):
                self._known[check] = known[1]
        return Outcome(done.returncode, said, done.stdout + done.stderr)

    def _content(self) -> tuple[str, ...]:
        lines = (
            f"  - {{name: {table}, kind: table, table: {table}, fingerprint: '{known}'}}\n"
            for table, known in self._known.items()
        )
        checks = self._folder / "checks.yaml"
        checks.write_text(_CHECKS.lstrip() + "".join(lines))
        port = str(self.primary.port)
        return ("--depth", "content", "--checks", str(checks), "--credentials", str(self._shown),
                "--client-port", port)  # fmt: skip

    def _credentials(self) -> Path:
        self.lab.client_dsn(NAMESPACE, self.cluster.name)
        written = self.lab.workspace.directory("clients", f"{NAMESPACE}-{self.cluster.name}")
        shown = self._folder / "shown"
        (shown / APPLICATION_ROLE).mkdir(parents=True)
        shutil.copy(written / "ca.crt", shown / "ca.crt")
        for suffix in ("crt", "key"):
            shutil.copyfile(written / f"app.{suffix}", shown / APPLICATION_ROLE / f"tls.{suffix}")
        return shown

    def _log(self, run: Run) -> None:
        for log in self.lab.workspace.path.glob("pg-*/postgresql.log"):
            run.messages += messages(log, self._read.get(log, 0))
            self._read[log] = log.stat().st_size

    def known(self) -> dict[str, Known]:
        """What belongs to the extensions that we use, as it stands, by database."""
        databases = self.primary.sql("select datname from pg_database where datallowconn")
        return {name: Known.of(self.primary, name) for (name,) in databases}

    def plant(self, trees: list[Parsed], *, path: bool = True) -> dict[str, list[str]]:
        """Make the database hostile; what could not be planted, by database.

        path: also the schema `evil` comes first for roles and database, else "$user" and public as ever.
        """
        primary = self.primary
        seen, catalog = planting.Seen.of(trees), Catalog.of(primary)
        refused = {}
        for database in DATABASES:
            for extension in ("amcheck", "pg_visibility"):
                primary.sql(f"drop extension if exists {extension}", dbname=database)
            for grant in (
                f"grant create on database {database} to app",
                "grant all on schema public to public",
            ):
                primary.sql(grant, dbname=database)
            for statement in (*planting.EVERYBODY, planting.SPRING, planting.PLANT):
                primary.sql(statement, dbname=database, user="app")
            refused[database] = planting.plant(primary, database, _planted(seen, catalog))
        refused["tables"] = planting.plant(
            primary, "app", attached.statements(attached.TABLES) + attached.statements(attached.CASTS)
        )
        primary.sql("vacuum", dbname="app", user="app")
        primary.sql(f"drop database {MADE}")
        primary.sql(f"create database {MADE} owner app")
        for database in DATABASES:
            events = [
                *attached.statements(attached.EVENTS),
                *([attached.LOGIN] if self.version >= 17 else []),
            ]
            refused[database] += planting.plant(primary, database, events, user="postgres")
        for target in (
            () if not path else ("role app", "role postgres", "database app", "role postgres in database app")
        ):
            primary.sql(f"alter {target} set search_path = {planting.PATH}")
        return refused

    def bend(self) -> None:
        """Settings as hostile as they get, of roles, of a database and of the server."""
        mine = settings.FORMS | settings.STARTS | settings.TIMES
        if self.version < 17:
            mine.pop("transaction_timeout")
        everybodys = {"role app": mine, "database app": mine, "role postgres in database app": mine}
        for target, found in (everybodys | {"role postgres": mine | settings.RULES}).items():
            for name, value in found.items():
                self.primary.sql(f"alter {target} set {name} = {value}")
        for server in self.servers():
            for name, value in settings.FORMS.items():
                server.sql(f"alter system set {name} = {value}")
            server.sql("select pg_reload_conf()")


def _planted(seen: planting.Seen, catalog: Catalog) -> list[str]:
    found = []
    for schema in planting.SCHEMAS:
        found += [f"create schema if not exists {schema}", f"grant usage on schema {schema} to public"]
        found += planting.overloads(seen, catalog, schema)
        found += planting.namesakes(seen, catalog, schema)
    return found
