"""Stand-in for Veeam Kasten: runs of a backup policy with action hooks, exports and restores."""

from tests.lab.kasten.actions import (
    Action,
    Artifacts,
    Blueprint,
    BoundHook,
    Hook,
    HookResult,
    NamespaceLocked,
    RestorePoint,
    State,
    Step,
)
from tests.lab.kasten.backup import Policy
from tests.lab.kasten.service import Kasten

__all__ = [
    "Action",
    "Artifacts",
    "Blueprint",
    "BoundHook",
    "Hook",
    "HookResult",
    "Kasten",
    "NamespaceLocked",
    "Policy",
    "RestorePoint",
    "State",
    "Step",
]
