"""The commands that EDB's operator wants run in the elected pod before and after a backup."""

from dataclasses import dataclass

from kanfunc.domain.adapter import Adapter
from kanfunc.domain.codec import Malformed, decode, short
from kanfunc.domain.errors import Refused
from kanfunc.domain.world import POSTGRES_CONTAINER, Instance

Argv = tuple[str, ...]


@dataclass(frozen=True)
class Hooks:
    """Argv each, never shell text."""

    pre_backup: Argv
    on_error: Argv
    post_backup: Argv


def hooks_of(instance: Instance, adapter: Adapter) -> Hooks:
    """What the operator wrote on the elected pod; Refused where it cannot be run."""
    for key in (adapter.pre_container, adapter.post_container):
        container = instance.annotations.get(key, "")
        if container != POSTGRES_CONTAINER:
            raise Refused(
                f"annotation {key} on pod {instance.name} is {container!r}",
                expected=f"{POSTGRES_CONTAINER!r}, where PostgreSQL runs",
                remedy="look into the operator's log; this operator version may be newer than kanfunc",
            )
    return Hooks(
        pre_backup=_argv(instance, adapter.pre_command),
        on_error=_argv(instance, adapter.on_error),
        post_backup=_argv(instance, adapter.post_command),
    )


def _argv(instance: Instance, key: str) -> Argv:
    text = instance.annotations.get(key, "")
    try:
        argv = tuple(decode(text, list[str]))
    except Malformed as error:
        argv, reason = (), str(error)
    else:
        reason = "an empty command"
    if not argv or not argv[0] or any("\0" in word for word in argv):
        raise Refused(
            f"annotation {key} on pod {instance.name} is {short(text)} ({reason})",
            expected="a JSON list of words, the command's name first",
            remedy="look into the operator's log; nothing is ever run through a shell instead",
        )
    return argv
