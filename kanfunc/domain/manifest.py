"""A Kubernetes object as plain JSON, and how to read it where those of several clusters are read together."""

from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]


def mapping_in(manifest: Manifest, key: str) -> Manifest:
    """Where objects of several clusters are read together: {} for whatever else stands there.

    >>> mapping_in({"spec": []}, "spec"), mapping_in({}, "spec"), text_in({"name": 7}, "name")
    ({}, {}, '')
    """
    value = manifest.get(key)
    return value if isinstance(value, Mapping) else {}


def text_in(manifest: Manifest, key: str) -> str:
    """As mapping_in: "" for whatever else stands there."""
    value = manifest.get(key)
    return value if isinstance(value, str) else ""


def is_at_work(pod: Manifest) -> bool:
    """Whether it runs, or is about to."""
    return text_in(mapping_in(pod, "status"), "phase") in {"Pending", "Running"}
