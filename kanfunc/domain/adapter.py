"""The contract of EDB's external backup adapter: the words in which it says who is elected, and how the
instance is stopped. On clusters whose operator has no adapter we play it ourselves, in the words of `kasten`.

Source: add-ons page of EDB Postgres for Kubernetes; key names and values of `kasten` as observed with
operator 1.25.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from kanfunc.domain.codec import Malformed, decode, decode_yaml, short
from kanfunc.domain.errors import Refused
from kanfunc.domain.world import Cluster

KASTEN, FREE_KEYS = "kasten", "external-backup-adapter-cluster"
_CONFIG = "externalBackupAdapterClusterConfig"
_OTHER_PRODUCT = "icpdsupport/"

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Adapter:
    """Labels and annotation keys of one adapter.

    excludes_all: every volume that is not elected carries the labels `excluded`; otherwise a selector of the
    configuration says which do.
    """

    hooked: Labels
    elected: Labels
    excluded: Labels
    excludes_all: bool
    pre_container: str
    pre_command: str
    on_error: str
    post_container: str
    post_command: str


_PREFIX = "kasten-enterprisedb.io"
KASTEN_ADAPTER = Adapter(
    hooked={f"{_PREFIX}/hasHooks": "true"},
    elected={f"{_PREFIX}/elected": "true"},
    excluded={f"{_PREFIX}/excluded": "true"},
    excludes_all=True,
    pre_container=f"{_PREFIX}/pre-backup-container",
    pre_command=f"{_PREFIX}/pre-backup-command",
    on_error=f"{_PREFIX}/pre-backup-on-error",
    post_container=f"{_PREFIX}/post-backup-container",
    post_command=f"{_PREFIX}/post-backup-command",
)


def adapter_of(cluster: Cluster) -> Adapter:
    """The adapter that decorates this cluster; Refused where there is none: its copy would be hot."""
    annotation = cluster.flavour.adapter_key("addons")
    text = cluster.annotations.get(annotation)
    try:
        addons = decode(text, list[str]) if text else []
    except Malformed as error:
        raise Refused(
            f"annotation {annotation} on Cluster {cluster.ref} is {short(text)}, which cannot be read "
            f"({error})",
            expected=f"""a JSON list such as '["{KASTEN}"]'""",
            remedy="correct the annotation",
        ) from error
    if KASTEN in addons:
        return KASTEN_ADAPTER
    if FREE_KEYS in addons and cluster.flavour.has_adapter:
        return _configured(cluster)
    raise Refused(
        f"Cluster {cluster.ref} does not have the add-on {KASTEN} "
        f"({annotation}: {short(text) if text else 'absent'})",
        expected=f"""{annotation}: '["{KASTEN}"]', so that a replica is elected and can be fenced""",
        remedy="annotate the Cluster, or exclude it from the policy: without a fence "
        "its copy would be hot, and must not look like a backup",
    )


def is_of_another_product(cluster: Cluster) -> bool:
    """Whether another product's adapter decorates it: Cloud Pak for Data marks with `icpdsupport/*`."""
    config = cluster.annotations.get(cluster.flavour.adapter_key(_CONFIG), "")
    keys = (*cluster.labels, *cluster.annotations)
    return _OTHER_PRODUCT in config or any(key.startswith(_OTHER_PRODUCT) for key in keys)


class _Decorator(msgspec.Struct, frozen=True):
    key: str
    value: str
    metadata_type: Literal["label", "annotation"] = msgspec.field(name="metadataType")


class _Key(msgspec.Struct, frozen=True):
    key: str


class _PreBackup(msgspec.Struct, frozen=True, rename="camel"):
    container: _Key
    command: _Key
    on_error: _Key


class _PostBackup(msgspec.Struct, frozen=True):
    container: _Key
    command: _Key


class _Config(msgspec.Struct, frozen=True, rename="camel"):
    """The adapter's configuration, as far as we read it; newer keys are passed over."""

    backup_instance_decorators: list[_Decorator]
    pre_backup_hook_configuration: _PreBackup
    post_backup_hook_configuration: _PostBackup
    elected_resources_decorators: list[_Decorator] = []
    excluded_resources_decorators: list[_Decorator] = []
    excluded_resources_selector: str = ""


def _configured(cluster: Cluster) -> Adapter:
    annotation = cluster.flavour.adapter_key(_CONFIG)
    text = cluster.annotations.get(annotation, "")
    try:
        config = decode_yaml(text, _Config)
        pre, post = config.pre_backup_hook_configuration, config.post_backup_hook_configuration
        return Adapter(
            hooked=_labels(config.backup_instance_decorators, "backupInstanceDecorators"),
            **_volume_labels(config),
            excludes_all=not config.excluded_resources_selector,
            pre_container=_key(pre.container),
            pre_command=_key(pre.command),
            on_error=_key(pre.on_error),
            post_container=_key(post.container),
            post_command=_key(post.command),
        )
    except Malformed as error:
        raise Refused(
            f"annotation {annotation} on Cluster {cluster.ref} cannot be used: {error}",
            expected="the YAML of EDB's external backup adapter, with labels for the elected instance and "
            "for its volumes, and the annotation names of both hooks",
            remedy="correct the annotation; labels, because Kasten's filters see nothing else",
        ) from error


def _volume_labels(config: _Config) -> dict[str, Labels]:
    elected, excluded = config.elected_resources_decorators, config.excluded_resources_decorators
    if not elected and not excluded:
        raise Malformed("neither electedResourcesDecorators nor excludedResourcesDecorators is set")
    return {
        "elected": _labels(elected, "electedResourcesDecorators") if elected else {},
        "excluded": _labels(excluded, "excludedResourcesDecorators") if excluded else {},
    }


def _labels(decorators: Iterable[_Decorator], name: str) -> Labels:
    labels = {each.key: each.value for each in decorators if each.metadata_type == "label"}
    if not labels or not all(labels):
        raise Malformed(f"{name} has no label")
    return labels


def _key(named: _Key) -> str:
    if not named.key:
        raise Malformed("a hook's annotation has no name")
    return named.key
