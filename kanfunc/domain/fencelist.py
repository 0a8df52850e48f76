"""Algebra of the fence list: the annotation that names the instances whose PostgreSQL must not run."""

from dataclasses import dataclass
from typing import Self

from kanfunc.domain.codec import Malformed, decode, encode, short
from kanfunc.domain.errors import Refused

EVERYONE = "*"


@dataclass(frozen=True)
class FenceList:
    """Instances under a fence, in the order they stand; "*" means all of them.

    >>> FenceList.parse('["pg-2"]').without("pg-2").annotation() is None
    True
    >>> FenceList.parse(None).adding("pg-2").annotation()
    '["pg-2"]'
    """

    entries: tuple[str, ...] = ()

    @classmethod
    def parse(cls, annotation: str | None, whose: str = "a Cluster") -> Self:
        """Read the annotation; absent or `[]` is nobody. Anything that is no list of names is refused."""
        try:
            return cls(tuple(decode(annotation, list[str]))) if annotation is not None else cls()
        except Malformed as error:
            raise Refused(
                f"the fence list {short(annotation)} of {whose} cannot be read ({error})",
                expected='a JSON list of instance names such as ["pg-2"]',
                remedy="find out who wrote it; correct or remove the annotation, then run again",
            ) from error

    def __contains__(self, instance: str) -> bool:
        return instance in self.entries or EVERYONE in self.entries

    def __bool__(self) -> bool:
        return bool(self.entries)

    def names(self, instance: str) -> bool:
        """Whether this very instance stands in the list; "*" does not name it."""
        return instance in self.entries

    def adding(self, instance: str) -> "FenceList":
        """The list with one more entry; the same list where it stands already."""
        return self if self.names(instance) else FenceList((*self.entries, instance))

    def without(self, instance: str) -> "FenceList":
        """The list without that entry; every other entry, and "*", stays."""
        return FenceList(tuple(entry for entry in self.entries if entry != instance))

    def annotation(self) -> str | None:
        """Value of the annotation; None when it should be removed."""
        return encode(list(self.entries)) if self.entries else None
