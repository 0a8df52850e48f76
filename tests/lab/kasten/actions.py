"""What an action of Kasten is made of: hooks, steps, their outcome and the restore point."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from subprocess import SubprocessError
from typing import Any, Protocol

from tests.lab.apiserver import StatusError

Manifest = dict[str, Any]
Data = Any
"""Where the content of a volume was put, as its storage platform names it: a directory, a handle."""


class Volumes(Protocol):
    """What a storage platform does for an action."""

    def snapshot(self, claim: Manifest) -> Data:
        """Make a VolumeSnapshot of the claim; returns when it is cut."""

    def restore(self, claim: Manifest, data: Data) -> None:
        """Create this claim with that content."""


Artifacts = Mapping[str, str]
"""Key-values that a bound hook puts out; Kasten keeps them in the restore point."""


@dataclass(frozen=True)
class HookResult:
    """What a hook came to: exit code of its process, what it printed, and what of that Kasten keeps."""

    exit_code: int
    output: str = ""

    @property
    def artifacts(self) -> Artifacts:
        """The phase outputs, as Kanister reads them in a pod's log."""
        return outputs(self.output)


Hook = Callable[[str], HookResult]  # called with the name of the namespace

BoundHook = Callable[[Manifest, Artifacts], HookResult]  # called with the Cluster and its artifacts


@dataclass(frozen=True)
class Blueprint:
    """Hooks of a blueprint that a BlueprintBinding binds to every Cluster.

    Whether Kasten runs the posthook after a snapshot that failed is not known: `posthook_after_failure`.
    """

    backup_prehook: BoundHook | None = None
    backup_posthook: BoundHook | None = None
    restore_posthook: BoundHook | None = None
    posthook_after_failure: bool = False


class State(StrEnum):
    """State of an action that has ended."""

    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True)
class Step:
    """One step of an action, in seconds of `time.monotonic`; `error` is empty if it went well."""

    name: str
    started: float
    ended: float
    error: str = ""


@dataclass(frozen=True)
class RestorePoint:
    """Captured manifests of a namespace, and the data of each claim by its name."""

    namespace: str
    clusters: tuple[Manifest, ...]
    secrets: tuple[Manifest, ...]
    claims: tuple[Manifest, ...]
    data: Mapping[str, Data]
    artifacts: Mapping[str, Artifacts] = field(default_factory=dict)
    """By name of the Cluster."""
    others: tuple[Manifest, ...] = ()
    """Of further kinds, which the policy names."""


@dataclass(frozen=True)
class Action:
    """A run of a backup or of a restore. Only a complete backup has a restore point."""

    state: State
    steps: tuple[Step, ...]
    restore_point: RestorePoint | None = None

    @property
    def error(self) -> str:
        """What the first step that failed said; empty if none did."""
        return next((step.error for step in self.steps if step.error), "")


class ActionFailed(Exception):
    """A step of the action failed."""


class NamespaceLocked(Exception):
    """Another action runs in the namespace."""


class Timeline:
    """Steps of an action as they happen."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record the step; whatever platforms fail with becomes ActionFailed."""
        started, error = time.monotonic(), ""
        try:
            yield
        except (ActionFailed, StatusError, SubprocessError, OSError) as failure:
            error = f"{name}: {failure}"
            raise ActionFailed(error) from failure
        finally:
            self.steps.append(Step(name, started, time.monotonic(), error))

    def hook(self, name: str, hook: Hook | None, namespace: str) -> None:
        """Run a hook as a step of its own; a hook that is not set is no step."""
        if hook is None:
            return
        with self.step(name):
            result = hook(namespace)
            if result.exit_code:
                raise ActionFailed(f"exit code {result.exit_code}: {result.output}")

    def bound_hook(
        self, name: str, hook: BoundHook | None, cluster: Manifest, artifacts: Artifacts
    ) -> Artifacts:
        """Run a bound hook as a step of its own; what it put out, which is lost when it fails."""
        if hook is None:
            return {}
        with self.step(f"{name} {cluster['metadata']['name']}"):
            result = hook(cluster, artifacts)
            if result.exit_code:
                raise ActionFailed(f"exit code {result.exit_code}: {result.output}")
            return result.artifacts


def outputs(text: str) -> Artifacts:
    """The phase outputs in a pod's log, as Kanister reads them."""
    found = (line.partition("###Phase-output###:")[2] for line in text.splitlines())
    pairs = [json.loads(each) for each in found if each]
    return {pair["key"]: pair["value"] for pair in pairs}
