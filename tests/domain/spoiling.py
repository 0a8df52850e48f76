"""Ways of spoiling a healthy scene: each table of refusals is made of these."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kanfunc.domain.errors import Refused
from tests.builders import Manifest, Scene

Spoil = Callable[[Scene], None]


@dataclass(frozen=True)
class Refusal:
    """What is spoilt, and what the refusal must name."""

    id: str
    spoil: Spoil
    found: str
    expected: str
    remedy: str

    def check(self, refused: Refused) -> None:
        """The refusal says what was found, what would be right, and what to do."""
        assert self.found in refused.found
        assert self.expected in refused.expected
        assert self.remedy in refused.remedy
        assert refused.left == "everything"
        assert refused.exit_code == 3


def _find(scene: Scene, path: str) -> Manifest:
    """`cluster`, `pod/NAME` or `pvc/NAME`."""
    kind, _, name = path.partition("/")
    places = {"pod": scene.pods, "pvc": scene.claims}
    return places[kind][name] if name else scene.cluster


def _set(entries: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        entries.pop(key, None)
    else:
        entries[key] = value


def annotation(path: str, key: str, value: str | None) -> Spoil:
    """Set the annotation, or take it away."""
    return lambda scene: _set(_find(scene, path)["metadata"]["annotations"], key, value)


def label(path: str, key: str, value: str | None) -> Spoil:
    """Set the label, or take it away."""
    return lambda scene: _set(_find(scene, path)["metadata"]["labels"], key, value)


def metadata(path: str, key: str, value: Any) -> Spoil:
    """Set a field of the metadata, or take it away."""
    return lambda scene: _set(_find(scene, path)["metadata"], key, value)


def spec(key: str, value: Any) -> Spoil:
    """Set a field of the Cluster's specification."""
    return lambda scene: _set(scene.cluster["spec"], key, value)


def status(key: str, value: Any) -> Spoil:
    """Set a field of the Cluster's status."""
    return lambda scene: _set(scene.cluster["status"], key, value)


def without(path: str) -> Spoil:
    """Take the object away."""
    kind, _, name = path.partition("/")

    def spoil(scene: Scene) -> None:
        del {"pod": scene.pods, "pvc": scene.claims}[kind][name]

    return spoil


def both(*spoils: Spoil) -> Spoil:
    """One after the other."""

    def spoil(scene: Scene) -> None:
        for each in spoils:
            each(scene)

    return spoil
