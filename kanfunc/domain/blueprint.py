"""Blueprints, as far as they run commands of ours: which verb, with which limits, by which account."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from kanfunc.domain.kasten import Named
from kanfunc.domain.selector import Shape
from kanfunc.domain.world import ClusterRef

LIMITS: Mapping[str, Mapping[str, int]] = {
    "fence": {"replay-timeout": 60, "hook-timeout": 60, "stop-timeout": 180, "stream-timeout": 300},
    "unfence": {"snapshot-timeout": 300, "hook-timeout": 60, "stream-timeout": 300},
    "verify-restore": {"primary-timeout": 900},
}
"""Time limits (seconds) that add up within one call of each verb, with the defaults of the command line."""
MARGIN = {"unfence": 30, "verify-restore": 120}
"""What a verb may take besides its limits: `unfence` waits for a fail-over to end."""
DEADLINE = 3600


class _PodOverride(Shape, frozen=True):
    service_account_name: str = ""


class _Arguments(Shape, frozen=True):
    command: tuple[str, ...] | None = None
    pod_override: _PodOverride | None = None


class _Phase(Shape, frozen=True):
    args: _Arguments | None = None


class _Action(Shape, frozen=True):
    phases: tuple[_Phase, ...] | None = None


class Blueprint(Shape, frozen=True):
    """A Blueprint of Kanister, in Kasten's namespace."""

    metadata: Named
    actions: dict[str, _Action] = msgspec.field(default_factory=dict)

    def calls(self, action: str) -> tuple["Call", ...]:
        """What an action runs of ours."""
        phases = (self.actions[action].phases or ()) if action in self.actions else ()
        found = (_call(phase.args) for phase in phases if phase.args)
        return tuple(call for call in found if call)


@dataclass(frozen=True)
class Call:
    """One command of ours. verb: with its outcome, as in `unfence success`. options: without `--`, each with
    its values.
    """

    verb: str
    options: Mapping[str, tuple[str, ...]]
    account: str

    def concerns(self, ref: ClusterRef) -> bool:
        """Whether it can be for this cluster: what a template will say is not known before it runs."""
        for option, wanted in (("namespace", ref.namespace), ("cluster", ref.name)):
            values = self.options.get(option, (wanted,))
            if wanted not in values and not any("{{" in value for value in values):
                return False
        return True

    @property
    def seconds(self) -> int:
        """How long it may take by its own limits."""
        name = self.verb.partition(" ")[0]
        limits = LIMITS.get(name, {})
        return sum(self.number(key, default) for key, default in limits.items()) + MARGIN.get(name, 0)

    def number(self, option: str, default: int) -> int:
        """An option's value in seconds."""
        text = self.options.get(option, ("",))[-1]
        return int(text) if re.fullmatch("[0-9]{1,9}", text) else default


def _call(arguments: _Arguments) -> Call | None:
    command = arguments.command or ()
    if not command or command[0].rpartition("/")[2] != "kanfunc":
        return None
    options: dict[str, tuple[str, ...]] = {}
    for name, value in _options(command):
        options[name] = (*options.get(name, ()), value)
    verbs = [word for word in command[1:] if word in LIMITS]
    verb = " ".join([*verbs[:1], *options.get("outcome", ())])
    account = arguments.pod_override.service_account_name if arguments.pod_override else ""
    return Call(verb, options, account)


def _options(command: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Both spellings: `--name=value` and `--name value`."""
    for word, following in zip(command, (*command[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if word == "-n":
            yield "namespace", following
        elif name.startswith("--"):
            yield name[2:], value if equals else following
