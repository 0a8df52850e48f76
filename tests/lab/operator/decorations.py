"""The marks by which EDB's add-ons tell a backup product what to back up, and the commands they offer."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import yaml

from tests.lab.apiserver import PODS, PVCS, Selection
from tests.lab.operator.decisions import annotations, labels
from tests.lab.operator.names import Dialect, Manifest, dialect_of

MANAGER: Final = "/controller/manager"

KASTEN: Final = "kasten-enterprisedb.io/"
ELECTED: Final = f"{KASTEN}elected"
EXCLUDED: Final = f"{KASTEN}excluded"
HAS_HOOKS: Final = f"{KASTEN}hasHooks"

# What `kasten` writes, in the schema of the add-on whose keys are free; the blueprint is inert on a bare pod,
# as observed on the real thing.
KASTEN_ADDON: Final = f"""
electedResourcesDecorators: [{{key: {ELECTED}, metadataType: label, value: "true"}}]
excludedResourcesDecorators:
- {{key: {EXCLUDED}, metadataType: label, value: "true"}}
- {{key: {KASTEN}excluded-reason, metadataType: annotation, value: not the elected instance}}
backupInstanceDecorators:
- {{key: {HAS_HOOKS}, metadataType: label, value: "true"}}
- {{key: kanister.kasten.io/blueprint, metadataType: annotation, value: edb-hooks}}
preBackupHookConfiguration:
  container: {{key: {KASTEN}pre-backup-container}}
  command: {{key: {KASTEN}pre-backup-command}}
  onError: {{key: {KASTEN}pre-backup-on-error}}
postBackupHookConfiguration:
  container: {{key: {KASTEN}post-backup-container}}
  command: {{key: {KASTEN}post-backup-command}}
"""


_Mark = tuple[str, str, str]  # key, "label" or "annotation", value


class Hook(Enum):
    """Commands that the adapter names in the annotations of the elected pod."""

    PRE_BACKUP = ("pre", "backup")
    ON_ERROR = ("pre", "onError")
    POST_BACKUP = ("post", "backup")

    def argv(self, manager: str = MANAGER) -> list[str]:
        """The command as it stands, as a JSON list, in the annotation."""
        return [manager, "snapshot", "hook", *self.value]


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
        command = hook.argv()
        prefix = list(argv[: -len(command)])
        if [*prefix, *command] == list(argv) and prefix[:1] in ([], ["timeout"]):
            return HookCall(hook, float(prefix[-1]) if prefix else None)
    return None


def addon_of(cluster: Manifest, manager: str = MANAGER) -> "Addon | None":
    """The add-on that the Cluster asks for, if its operator has one by that name."""
    dialect = dialect_of(cluster)
    names = json.loads(annotations(cluster).get(dialect.addons) or "[]")
    if dialect.has_adapter and "kasten" in names:
        return Addon(dialect, yaml.safe_load(KASTEN_ADDON), manager)
    if dialect.has_adapter and "external-backup-adapter-cluster" in names:
        return Addon(dialect, yaml.safe_load(annotations(cluster)[dialect.adapter_config]), manager)
    return None


@dataclass(frozen=True)
class Addon:
    """An external backup adapter by its configuration; `manager` is the program that its hooks name.

    Source of the schema: EDB Postgres for Kubernetes, page "Add-ons", external-backup-adapter-cluster.
    """

    dialect: Dialect
    config: Mapping[str, Any]
    manager: str

    def decorate(self, manifest: Manifest, elected: str | None) -> None:
        """Give a Pod or PersistentVolumeClaim the marks it must have, and take away stale ones.

        With nobody elected there are no marks at all.
        """
        metadata = manifest["metadata"]
        known = {key for key, _, _ in self._all_marks()}
        for kind, present in (("labels", labels(manifest)), ("annotations", annotations(manifest))):
            metadata[kind] = {key: value for key, value in present.items() if key not in known}
        for key, kind, value in self._marks(manifest, elected):
            metadata[f"{kind}s"][key] = value

    def _marks(self, manifest: Manifest, elected: str | None) -> Iterator[_Mark]:
        if elected is None:
            return
        if labels(manifest).get(self.dialect.instance_name) != elected:
            resource = PODS if manifest["kind"] == "Pod" else PVCS
            limits = Selection(resource, labels=self.config.get("excludedResourcesSelector", ""))
            if limits.includes(resource, manifest):
                yield from self._decorators("excludedResourcesDecorators")
        elif manifest["kind"] == "PersistentVolumeClaim":
            yield from self._decorators("electedResourcesDecorators")
        else:
            yield from self._decorators("backupInstanceDecorators")
            yield from self._hooks()

    def _all_marks(self) -> Iterator[_Mark]:
        for name in self.config:
            if name.endswith("Decorators"):
                yield from self._decorators(name)
        yield from self._hooks()

    def _decorators(self, name: str) -> Iterator[_Mark]:
        for each in self.config.get(name, []):
            yield each["key"], each["metadataType"], each["value"]

    def _hooks(self) -> Iterator[_Mark]:
        pre, post = (self.config[f"{each}BackupHookConfiguration"] for each in ("pre", "post"))
        yield pre["container"]["key"], "annotation", "postgres"
        yield pre["command"]["key"], "annotation", self._command(Hook.PRE_BACKUP)
        yield pre["onError"]["key"], "annotation", self._command(Hook.ON_ERROR)
        yield post["container"]["key"], "annotation", "postgres"
        yield post["command"]["key"], "annotation", self._command(Hook.POST_BACKUP)

    def _command(self, hook: Hook) -> str:
        return json.dumps(hook.argv(self.manager), separators=(",", ":"))
