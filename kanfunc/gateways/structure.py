"""The structure of a restored database, looked at in the pod of its primary."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import msgspec

from kanfunc.domain.errors import KanfuncError
from kanfunc.domain.examination import ExaminationLimits, Obstacle
from kanfunc.domain.survey import Database, Survey
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways import amcheckscripts, shell
from kanfunc.gateways import structurescripts as scripts
from kanfunc.gateways.instances import decoded, readable, sections
from kanfunc.gateways.podexec import PodExec
from kanfunc.ports import Follow

_CANCEL_SECONDS = 20.0


class PodStructure:
    """StructureShell over exec."""

    def __init__(self, pods: PodExec) -> None:
        self._pods = pods

    def survey(self, ref: ClusterRef, primary: str, seconds: float) -> Survey:
        """See StructureShell."""
        with self._named(ref, primary) as name:
            output = self._run(ref, primary, seconds, scripts.SURVEY, name, f"{seconds:.0f}")
        with readable(output):
            found = sections(output)
            databases = tuple(decoded(line, Database) for line in found["databases"].splitlines())
            return msgspec.structs.replace(decoded(found["cluster"], Survey), databases=databases)

    def prepare(self, ref: ClusterRef, primary: str, limits: ExaminationLimits) -> tuple[Obstacle, ...]:
        """See StructureShell."""
        arguments = (f"{limits.seconds:.0f}", "yes" if limits.install_amcheck else "no")
        with self._named(ref, primary) as name:
            output = self._run(ref, primary, limits.seconds, amcheckscripts.PREPARE, name, *arguments)
        return tuple(decoded(line, Obstacle) for line in output.splitlines())

    @contextmanager
    def examining(
        self, ref: ClusterRef, primary: str, limits: ExaminationLimits, *, amcheck: bool
    ) -> Iterator[Follow]:
        """See StructureShell."""
        arguments = (f"{limits.seconds:.0f}", f"{limits.jobs}", "yes" if amcheck else "no")
        with self._named(ref, primary) as name:
            argv = shell.argv(amcheckscripts.EXAMINE, name, *arguments)
            with self._pods.begun(ref.namespace, primary, argv, limits.seconds) as running:
                yield running.follow

    @contextmanager
    def _named(self, ref: ClusterRef, primary: str) -> Iterator[str]:
        """A name for the connections of a run, which are ended when it fails or we do."""
        name = f"kanfunc-{uuid4()}"
        try:
            yield name
        except BaseException:
            with suppress(KanfuncError):  # what it cannot end now ends at its time limit
                self._run(ref, primary, _CANCEL_SECONDS, scripts.CANCEL, name)
            raise

    def _run(self, ref: ClusterRef, primary: str, seconds: float, script: str, *arguments: str) -> str:
        return self._pods.run(ref.namespace, primary, shell.argv(script, *arguments), seconds)
