"""How deep the structure of a restored database is sound: the measurements behind the findings."""

from kanfunc.domain.errors import ExecFailed, ExecForbidden
from kanfunc.domain.examination import Examination, ExaminationLimits, Obstacle, Progress
from kanfunc.domain.finding import Finding
from kanfunc.domain.record import Proof
from kanfunc.domain.soundness import judge_examination, may_run_amcheck
from kanfunc.domain.survey import Survey, judge_survey, unseen
from kanfunc.domain.world import ClusterRef
from kanfunc.ports import Ports

_TELL_SECONDS = 10.0
"""Between two lines of progress in the log."""


def structure_of(
    ref: ClusterRef,
    primary: str,
    proof: Proof | None,
    ports: Ports,
    limits: ExaminationLimits,
    *,
    version: str,
) -> list[Finding]:
    """Look at every database of the primary. version: of its PostgreSQL; proof: of the mark, if there is one.

    What could not be looked at, or not to the end, is not checked; the damage seen until then is told.
    Raises ExecForbidden.
    """
    run, survey, reason = Examination(), None, ""
    obstacles: tuple[Obstacle, ...] = ()
    teller = _Teller(run, str(ref), ports)
    try:
        obstacles = ports.structure.prepare(ref, primary, limits)
        amcheck = may_run_amcheck(version, obstacles)
        with ports.structure.examining(ref, primary, limits, amcheck=amcheck) as follow:
            survey = _survey(ref, primary, ports, limits.seconds)
            follow(teller.read)
    except ExecForbidden:
        raise
    except ExecFailed as failure:
        if survey is None:
            return [unseen(failure.found)]
        reason = failure.found
        ports.journal.warn("structure not looked at to the end", cluster=str(ref), reason=reason)
    findings = judge_survey(survey, proof)
    return findings + judge_examination(run, survey, reason, obstacles)


def _survey(ref: ClusterRef, primary: str, ports: Ports, seconds: float) -> Survey:
    survey = ports.structure.survey(ref, primary, seconds)
    if survey.listed("short", "missing").count:  # or cut, or dropped, by somebody while we looked
        survey = ports.structure.survey(ref, primary, seconds)
    ports.journal.step(
        "structure", cluster=str(ref), primary=primary, databases=len(survey.databases), bytes=survey.size
    )
    return survey


class _Teller:
    """Takes in the lines, and tells the journal now and then how far they are."""

    def __init__(self, run: Examination, cluster: str, ports: Ports) -> None:
        self._run = run
        self._cluster = cluster
        self._ports = ports
        self._started = self._told = ports.clock.monotonic()

    def read(self, line: str) -> None:
        """One line."""
        before = self._run.progress
        self._run.read(line)
        now = self._ports.clock.monotonic()
        progress = self._run.progress
        if progress and progress != before and (before is None or now - self._told >= _TELL_SECONDS):
            self._told = now
            self._tell(progress, now - self._started)

    def _tell(self, progress: Progress, elapsed: float) -> None:
        left = progress.left(elapsed)
        self._ports.journal.step(
            "structure progress",
            cluster=self._cluster,
            bytes=progress.done,
            total=progress.total,
            eta_seconds=None if left is None else round(left),
        )
