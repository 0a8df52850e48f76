"""The marks by which EDB's `kasten` add-on tells Kasten what to back up, and the commands it offers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tests.lab.edb.decisions import annotations, labels
from tests.lab.edb.names import (
    BLUEPRINT,
    ELECTED,
    EXCLUDED,
    EXCLUDED_REASON,
    HAS_HOOKS,
    INSTANCE_NAME,
    KASTEN,
    Manifest,
)

MANAGER: Final = "/controller/manager"
EDB_HOOKS: Final = "edb-hooks"


class Hook(Enum):
    """Commands that the adapter names in the annotations of the elected pod."""

    PRE_BACKUP = ("pre", "backup")
    ON_ERROR = ("pre", "onError")
    POST_BACKUP = ("post", "backup")

    @property
    def argv(self) -> list[str]:
        """The command as it stands, as a JSON list, in the annotation."""
        return [MANAGER, "snapshot", "hook", *self.value]


@dataclass(frozen=True)
class HookCall:
    """A hook command as it was exec'd; `limit` is the time it is given in seconds, None without limit."""

    hook: Hook
    limit: float | None


def parse_hook(argv: Sequence[str]) -> HookCall | None:
    """Recognise a hook command, also behind `timeout [-k KILL_AFTER] LIMIT`; None: it is another command.

    >>> parse_hook(["timeout", "-k", "5", "120", "/controller/manager", "snapshot", "hook", "post", "backup"])
    HookCall(hook=<Hook.POST_BACKUP: ('post', 'backup')>, limit=120.0)
    """
    for hook in Hook:
        prefix = list(argv[: -len(hook.argv)])
        if [*prefix, *hook.argv] == list(argv) and prefix[:1] in ([], ["timeout"]):
            return HookCall(hook, float(prefix[-1]) if prefix else None)
    return None


def decorate(manifest: Manifest, elected: str | None) -> None:
    """Give a Pod or PersistentVolumeClaim of a cluster the marks it must have, and take away stale ones.

    With nobody elected there are no marks at all.
    """
    metadata = manifest["metadata"]
    metadata["labels"] = {key: value for key, value in labels(manifest).items() if not key.startswith(KASTEN)}
    metadata["annotations"] = {
        key: value for key, value in annotations(manifest).items() if not _ours(key, value)
    }
    if elected is None:
        return
    if labels(manifest).get(INSTANCE_NAME) != elected:
        metadata["labels"][EXCLUDED] = "true"
        metadata["annotations"][EXCLUDED_REASON] = f"not the elected instance {elected}"
    elif manifest["kind"] == "PersistentVolumeClaim":
        metadata["labels"][ELECTED] = "true"
    else:
        metadata["labels"][HAS_HOOKS] = "true"
        metadata["annotations"].update(_hook_annotations())


def _ours(key: str, value: str) -> bool:
    return key.startswith(KASTEN) or (key, value) == (BLUEPRINT, EDB_HOOKS)


def _hook_annotations() -> dict[str, str]:
    return {
        f"{KASTEN}pre-backup-container": "postgres",
        f"{KASTEN}pre-backup-command": _compact(Hook.PRE_BACKUP),
        f"{KASTEN}pre-backup-on-error": _compact(Hook.ON_ERROR),
        f"{KASTEN}post-backup-container": "postgres",
        f"{KASTEN}post-backup-command": _compact(Hook.POST_BACKUP),
        BLUEPRINT: EDB_HOOKS,  # inert on a bare pod, observed on the real thing
    }


def _compact(hook: Hook) -> str:
    return json.dumps(hook.argv, separators=(",", ":"))
