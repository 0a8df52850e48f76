"""What the stand-ins for EDB's operator and adapter work with, and how tests make them misbehave."""

import threading
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tests.lab.apiserver import Store
from tests.lab.binaries import Binaries
from tests.lab.storage import Storage
from tests.lab.workspace import Workspace


@dataclass
class Faults:
    """Misbehaviour, which tests switch on and off while the lab runs.

    Of the pre-backup hook: `hook_exit` is the exit code with which it fails without having done anything;
    `hook_hangs` blocks it until its time limit or the end of the lab; `hook_delay` is after how many seconds
    it places the entry, whether its client is still there or not.

    Of the operator: `ignore_fence` does not act on the annotation; `stop_mode` is how it stops a fenced
    PostgreSQL; `readiness_lag` is for how many seconds a pod stays Ready after its PostgreSQL has stopped;
    `election_paused` elects and decorates nothing (set by `pause_election`).
    """

    hook_exit: int = 0
    hook_hangs: bool = False
    hook_delay: float = 0.0
    ignore_fence: bool = False
    stop_mode: Literal["fast", "immediate"] = "fast"
    readiness_lag: float = 1.0
    election_paused: bool = False
    electing: ClassVar = threading.Lock()

    def pause_election(self) -> None:
        """Elect and decorate nothing from now on: one that is under way comes to its end first."""
        with self.electing:
            self.election_paused = True


@dataclass(frozen=True)
class Runtime:
    """The API server's store, the volumes, PostgreSQL, the faults, and `closing`, set when the lab ends."""

    store: Store
    storage: Storage
    workspace: Workspace
    binaries: Binaries
    faults: Faults = field(default_factory=Faults)
    closing: threading.Event = field(default_factory=threading.Event)
