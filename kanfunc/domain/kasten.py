"""What Kasten has been told: policies, bindings, and blueprints whose actions run commands of ours.

Source of shapes and rules: Kasten's documentation 9.x (action names, phase lifecycle, BlueprintBinding).
Whatever we do not know how to read is unknown (None), never taken for good.
"""

from typing import Any

from kanfunc.domain.selector import Item, Requirement, Selector, Shape, every, some

GROUP = "config.kio.kasten.io"
APPLICATION_KEYS = ("k10.kasten.io/appNamespace", "k10.kasten.io/appName")
RESERVED = frozenset({
    "backupPrehook", "backup", "backupPosthook", "restorePrehook", "restore", "restorePosthook", "delete",
})  # fmt: skip
"""Action names that Kasten calls on a bound blueprint; it ignores all others."""
REPLACING = frozenset({"backup", "restore", "delete"})
"""Those that Kasten runs instead of its own snapshots."""


class Pattern(Selector, frozen=True, forbid_unknown_fields=True):
    """One entry of a filter: all its fields must match, and one that we do not know may limit it."""

    group: str | None = None
    version: str | None = None
    resource: str | None = None
    name: str | None = None

    def takes(self, item: Item) -> bool | None:
        """Whether it is about this object."""
        pairs = (
            (self.group, item.group),
            (self.version, item.version),
            (self.resource, item.resource),
            (self.name, item.name),
        )
        fields = [wanted == found for wanted, found in pairs if wanted is not None]
        return every([*fields, self.meets(item.labels)])


class Filters(Shape, frozen=True):
    """What of an application is backed up."""

    include_resources: tuple[Pattern, ...] | None = None
    exclude_resources: tuple[Pattern, ...] | None = None

    def take(self, item: Item) -> bool | None:
        """Whether the object is backed up."""
        included = some([each.takes(item) for each in self.include_resources or (Pattern(),)])
        excluded = some([each.takes(item) for each in self.exclude_resources or ()])
        return every([included, None if excluded is None else not excluded])


class HookRef(Shape, frozen=True):
    """An action that a policy names."""

    blueprint: str = ""
    action_name: str = ""


class ActionHooks(Shape, frozen=True):
    """The hooks of a policy's backup action."""

    pre_hook: HookRef | None = None
    on_success: HookRef | None = None
    on_failure: HookRef | None = None


class BackupParameters(Shape, frozen=True):
    """How a policy backs up."""

    filters: Filters | None = None
    hooks: ActionHooks | None = None
    profile: Any = None


class PolicyAction(Shape, frozen=True):
    """One action of a policy."""

    action: str = ""
    backup_parameters: BackupParameters | None = None


class SubFrequency(Shape, frozen=True):
    """When within its frequency a policy runs."""

    minutes: tuple[int, ...] | None = None
    hours: tuple[int, ...] | None = None


class PolicySpec(Shape, frozen=True):
    """See Policy."""

    paused: bool | None = None
    frequency: str | None = None
    sub_frequency: SubFrequency | None = None
    selector: Selector | None = None
    actions: tuple[PolicyAction, ...] | None = None


class Named(Shape, frozen=True):
    """Metadata that matters here."""

    name: str
    namespace: str = ""
    creation_timestamp: str = ""
    annotations: dict[str, str] | None = None


class Policy(Shape, frozen=True):
    """A policy of Kasten."""

    metadata: Named
    spec: PolicySpec

    @property
    def backup(self) -> BackupParameters | None:
        """How it backs up; None where it does not."""
        for action in self.spec.actions or ():
            if action.action == "backup":
                return action.backup_parameters or BackupParameters()
        return None

    def covers(self, namespace: str) -> bool | None:
        """Whether it backs up that namespace; None: its selector asks for what we do not know."""
        selector = self.spec.selector or Selector()
        asked = {each.key for each in selector.match_expressions or ()} | (selector.match_labels or {}).keys()
        if not asked <= set(APPLICATION_KEYS):
            return None
        return selector.meets(dict.fromkeys(APPLICATION_KEYS, namespace))


class Kind(Shape, frozen=True):
    """A type of objects that a binding is for."""

    group: str = ""
    resource: str = ""
    name: str = ""


class TypeRequirement(Shape, frozen=True):
    """The types that a binding is for, or not."""

    operator: str = "In"
    values: tuple[Kind, ...] = ()

    def meets(self, item: Item) -> bool | None:
        """Whether the object is of one of them."""
        found = any(
            (each.group, each.resource) == (item.group, item.resource) and each.name in {"", item.name}
            for each in self.values
        )
        return {"In": found, "NotIn": not found}.get(self.operator)


class BindingRequirement(Shape, frozen=True, forbid_unknown_fields=True):
    """One requirement; exactly one field is given."""

    type: TypeRequirement | None = None
    namespace: Requirement | None = None
    labels: Requirement | None = None
    annotations: Requirement | None = None

    def meets(self, item: Item) -> bool | None:
        """Whether the object meets it."""
        if self.type:
            return self.type.meets(item)
        if self.namespace:
            where = Requirement(key="n", operator=self.namespace.operator, values=self.namespace.values)
            return where.meets({"n": item.namespace})
        if self.labels:
            return self.labels.meets(item.labels)
        return self.annotations.meets(item.annotations) if self.annotations else None


class Bound(Shape, frozen=True):
    """What a binding binds."""

    match_all: tuple[BindingRequirement, ...] | None = None
    match_any: tuple[BindingRequirement, ...] | None = None


class BindingSpec(Shape, frozen=True):
    """See Binding."""

    blueprint_ref: Named
    resources: Bound


class Binding(Shape, frozen=True):
    """A BlueprintBinding."""

    metadata: Named
    spec: BindingSpec

    def binds(self, item: Item) -> bool | None:
        """Whether it is for this object; one without any requirement is invalid."""
        wanted = self.spec.resources
        if not wanted.match_all and not wanted.match_any:
            return False
        answers = [each.meets(item) for each in wanted.match_all or ()]
        return every(
            [*answers, *([some([e.meets(item) for e in wanted.match_any])] if wanted.match_any else [])]
        )
