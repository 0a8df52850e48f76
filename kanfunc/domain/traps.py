"""What is known to go wrong with which version of the operator. Both products share one line of versions.

Source: release notes of CloudNativePG and of EDB Postgres for Kubernetes, and the threads they name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from kanfunc.domain.diagnosis import Diagnosis, Unread, good, unchecked, warning
from kanfunc.domain.world import World

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Trap:
    """What happens, with whom, and what to do."""

    concerns: Callable[[Version], bool]
    what: str
    remedy: str


TRAPS = (
    Trap(
        lambda v: v < (1, 22, 4),
        "lifting a fence may be ignored (#4433)",
        "upgrade to 1.22.4 or later; until then restart the pod that stays down",
    ),
    Trap(
        lambda v: v < (1, 27, 4) or (1, 28, 0) <= v < (1, 28, 2),
        "a full WAL volume keeps an instance from being fenced (#10302)",
        "upgrade to 1.27.4, 1.28.2 or later",
    ),
    Trap(
        lambda v: v >= (1, 28, 0),
        "a restore that brings instance pods along waits for them for ever (#11549)",
        "leave out pods in the restore's filters, as examples/restore.yaml does",
    ),
    Trap(
        lambda v: v < (1, 30, 1),
        "while an instance is fenced the cluster may not fail over (#11274), and a fast shutdown may be cut "
        "short after 60 s (#11263)",
        "upgrade to 1.30.1 or later; the fence notices an unclean stop and refuses",
    ),
)


def version_of(world: World) -> str | Unread:
    """The operator's version as it wrote it on the pods it made."""
    key = world.cluster.flavour.key("operatorVersion")
    found = {pod.annotations[key] for pod in world.instances if key in pod.annotations}
    if not found:
        return Unread(f"no pod carries {key}")
    return max(found, key=lambda text: _parsed(text) or (0, 0, 0))


def examine_operator(world: World) -> list[Diagnosis]:
    """Its version, and a warning for each known trap."""
    text = version_of(world)
    if isinstance(text, Unread):
        return [unchecked("operator version", text)]
    version = _parsed(text)
    if version is None:
        return [unchecked("operator version", Unread(f"{text!r} is no version"))]
    traps = [trap for trap in TRAPS if trap.concerns(version)]
    return [
        warning("operator version", f"{text}: {trap.what}", expected="no known trap", remedy=trap.remedy)
        for trap in traps
    ] or [good("operator version", text)]


def _parsed(text: str) -> Version | None:
    found = re.match(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
