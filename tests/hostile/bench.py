"""A primary and a replica, and everything of ours that asks a database: what each thing answers."""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Self

import psycopg
from kubernetes import client

from kanfunc.domain.checks import Asking
from kanfunc.domain.checksfile import read_checks
from kanfunc.domain.content import inquiry
from kanfunc.domain.errors import ClientFailed, KanfuncError
from kanfunc.domain.examination import ExaminationLimits
from kanfunc.domain.inquiry import Answer, Session
from kanfunc.gateways.client import PsycopgClient
from kanfunc.gateways.credentials import Credentials
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.structure import PodStructure
from kanfunc.gateways.surveyor import KubeSurveyor
from tests.builders import NOW, REF
from tests.hostile.odd import CHECKS, CONTENT, DATABASES, ODD, PLANTED, break_pages, german
from tests.hostile.pod import examined
from tests.hostile.settings import Bend
from tests.lab.apiserver import NAMESPACES, PODS, ApiServer, ExecRequest, Spawn, Store
from tests.lab.binaries import Binaries
from tests.lab.certificates import APPLICATION_ROLE, Authority
from tests.lab.postgres import Server
from tests.lab.workspace import Workspace

PRIMARY, STANDBY = "pg-1", "pg-2"
SECONDS = "8"
"""Limit of a command in a pod: coreutils' `timeout` stands before each."""
_LIMIT = 3
Edit = Callable[[tuple[str, ...]], tuple[str, ...]]


class Bench:
    """Both servers, and our gateways to their pods and as a client. edit: changes commands that run there."""

    def __init__(self, workspace: Workspace, binaries: Binaries, folder: Path) -> None:
        self.edit: Edit = lambda command: command
        self._workspace = workspace
        self._binaries = binaries
        self.locales = german(workspace)
        self._authority = Authority.create()
        self.primary = self._server(PRIMARY)
        self.primary.initdb()
        self.primary.configure()
        self.primary.start(standby=False)
        self.primary.create_roles()
        self.primary.sql("create role other")
        self.primary.sql("grant other to app")
        for statement in CONTENT.strip().split(";\n"):
            self.primary.sql(
                statement, dbname="app", user="app" if "extension" not in statement else "postgres"
            )
        self.primary.sql("vacuum", dbname="app")
        self.primary.sql('insert into "größe" values (1)', dbname="app")
        self.primary.sql(f'create database "{ODD}"')
        for database in ("postgres", "app"):
            for statement in PLANTED.split(";\n"):
                self.primary.sql(statement, dbname=database)
        self.standby = self._server(STANDBY)
        self.standby.clone_from(self.primary)
        self.standby.configure(upstream=self.primary)
        break_pages(self.primary)
        self.standby.start(standby=True)
        self._folder = self._credentials(folder)
        self.client = PsycopgClient(Credentials(self._folder), self.primary.port)
        [(started,)] = self.primary.sql("select (pg_postmaster_start_time() at time zone 'UTC')::text")
        version = int(binaries.version.partition(".")[0])
        self._session = Session("127.0.0.1", "app", "app", None, None, started, version, 8)

    @classmethod
    @contextmanager
    def open(cls, major: int) -> Iterator[Self]:
        """With its API server."""
        with ExitStack() as stack:
            workspace = stack.enter_context(Workspace.open())
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            bench = cls(workspace, Binaries.of(workspace, major), folder)
            store = Store()
            store.create(NAMESPACES, {"metadata": {"name": REF.namespace}})
            containers = [{"name": "postgres", "image": "none"}]
            for name in (PRIMARY, STANDBY):
                metadata = {"name": name, "namespace": REF.namespace}
                store.create(PODS, {"metadata": metadata, "spec": {"containers": containers}})
            api = stack.enter_context(ApiServer(store, bench._exec))
            bench.configuration = client.Configuration(host=api.url)
            yield bench

    configuration: client.Configuration

    def _exec(self, request: ExecRequest) -> Spawn:
        command = self.edit((*request.command[:_LIMIT], SECONDS, *request.command[_LIMIT + 1 :]))
        server = self.primary if request.pod == PRIMARY else self.standby
        return server.exec(replace(request, command=command))

    def _server(self, name: str) -> Server:
        tls = self._authority.instance(["127.0.0.1"])
        volume = self._workspace.directory(name)
        server = Server(self._workspace, self._binaries, name=name, volume=volume, tls=tls)
        if self.locales:
            server.variables["LOCPATH"] = str(self.locales)
        return server

    def _credentials(self, folder: Path) -> Path:
        shown = folder / APPLICATION_ROLE
        shown.mkdir()
        certificate = self._authority.client(APPLICATION_ROLE)
        (folder / "ca.crt").write_bytes(self._authority.certificate)
        (shown / "tls.crt").write_bytes(certificate.certificate)
        (shown / "tls.key").write_bytes(certificate.key)
        return folder

    def targets(self, bend: Bend) -> list[str]:
        """For whom it can be set."""
        return {"user": ["role postgres", "role app"], "superuser": ["role postgres", "role app"]}.get(
            bend.context, ["server"]
        )

    def bend(self, bend: Bend, who: str) -> str:
        """Set it; why it cannot be set, or nothing."""
        quoted = bend.value if "," in bend.value else f"'{bend.value}'"
        try:
            if who == "server":
                for server in (self.primary, self.standby):
                    server.sql(f"alter system set {bend.setting} = {quoted}")
                    server.sql("select pg_reload_conf()")
            else:
                self.primary.sql(f"alter {who} set {bend.setting} = {quoted}")
                self._replayed()
        except psycopg.Error as error:
            self.straighten()
            return str(error).splitlines()[0]
        return ""

    def straighten(self) -> None:
        """As it was."""
        for server in (self.primary, self.standby):
            server.sql("alter system reset all")
            server.sql("select pg_reload_conf()")
        for role in ("postgres", "app"):
            self.primary.sql(f"alter role {role} reset all")
        self._replayed()

    def _replayed(self) -> None:
        [(flushed,)] = self.primary.sql("select pg_current_wal_flush_lsn()::text")
        while self.standby.sql("select pg_last_wal_replay_lsn() >= %s::pg_lsn", flushed) != [(True,)]:
            self.standby.sql("select pg_sleep(0.01)")

    def answers(self, only: str = "server") -> Mapping[str, str]:
        """Of everything, or of what asks as one role."""
        asked: dict[str, Callable[[], object]] = {}
        if only != "role app":
            asked |= self._of_pods()
        if only != "role postgres":
            asked |= self._of_client()
        return {name: _answer(ask) for name, ask in asked.items()}

    def answer(self, name: str) -> str:
        """Of one thing."""
        return _answer((self._of_pods() | self._of_client())[name])

    def _of_pods(self) -> dict[str, Callable[[], object]]:
        pods = PodExec(self.configuration)
        instances, structure = PodInstances(pods), PodStructure(pods)
        surveyor = KubeSurveyor(self.configuration)

        def replay() -> object:
            bound = instances.emit_bound(REF, PRIMARY, "some-id")
            found = instances.await_replay(REF, STANDBY, bound.flushed, 3)
            return found.reached, found.behind_seconds < 60

        def survey() -> object:
            self._without_amcheck()
            return structure.survey(REF, PRIMARY, 8)

        def examine() -> object:
            self._without_amcheck()
            found = examined(structure, PRIMARY, ExaminationLimits(jobs=1, install_amcheck=True))
            return vars(found.run), found.obstacles

        return {
            "replication": lambda: instances.replication(REF, PRIMARY),
            "bound and replay": replay,
            "streaming": lambda: instances.await_streaming(REF, PRIMARY, STANDBY, 3, caught_up=True),
            "writable": lambda: instances.await_writable(REF, PRIMARY, 2),
            "facts": lambda: instances.primary_facts(REF, PRIMARY, "700"),
            "capacity": lambda: surveyor.capacity(REF, PRIMARY),
            "survey": survey,
            "install": examine,
        }

    def _without_amcheck(self) -> None:
        for database, name in product(DATABASES, ("amcheck", "pg_visibility")):
            self.primary.sql(
                f"set synchronous_commit = local; drop extension if exists {name}", dbname=database
            )

    def _of_client(self) -> dict[str, Callable[[], object]]:
        checks, _ = read_checks(CHECKS.encode(), "checks.yaml")
        found: dict[str, Callable[[], object]] = {
            f"check {each.name}": lambda each=each: self._asked(each)  # type: ignore[misc]
            for each in checks.checks
        }
        return found | {"check login": lambda: self.client.log_in(self._session)}

    def _asked(self, check: Asking) -> list[Answer]:
        """The answers to all that it asks."""
        asking, answers = inquiry(check, NOW, timedelta(0)), list[Answer]()
        with self.client.conversation(self._session) as ask, suppress(StopIteration):
            question = next(asking)
            while True:
                answers.append(ask(question))
                question = asking.send(answers[-1])
        return answers


def _answer(ask: Callable[[], object]) -> str:
    try:
        found = repr(ask())
    except ClientFailed as failure:
        found = f"{failure.sqlstate} {failure.found}"
    except KanfuncError as failure:
        found = f"failed: {failure.found}"
    if "Answer(" in found:
        return found
    return re.sub(r"[0-9A-F]+/[0-9A-F]+|kanfunc-[-0-9a-f]+|0x[0-9a-f]+|\d+([.]\d+)?", "N", found)
