from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from kanfunc.domain.adapter import KASTEN_ADAPTER, adapter_of, is_of_another_product
from kanfunc.domain.errors import Refused
from kanfunc.domain.flavour import CNPG, EDB
from kanfunc.domain.world import Cluster
from tests.builders import ADDONS, cluster

FREE, CONFIG = '["external-backup-adapter-cluster"]', EDB.key("externalBackupAdapterClusterConfig")
Config = dict[str, Any]


# ---- the add-on


@pytest.mark.parametrize(
    "text", ['["kasten"]', f'["kasten", {FREE[1:]}', '["velero", "kasten"]', ' [ "kasten" ] ']
)
def test_addon_may_stand_anywhere_in_the_list(text: str) -> None:
    assert adapter_of(cluster({ADDONS: text})) is KASTEN_ADAPTER


@pytest.mark.parametrize("text", ["", "[]", '["velero"]', '["Kasten"]', '["kasten "]'])
def test_cluster_without_the_addon_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="does not have the add-on kasten") as refused:
        adapter_of(cluster({ADDONS: text}))
    assert ADDONS in refused.value.expected
    assert "exclude it from the policy" in refused.value.remedy


@pytest.mark.parametrize("text", ["kasten", '"kasten"', '{"kasten":true}', "[1]", "null", '["kasten"', "\0"])
def test_unreadable_addons_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="cannot be read") as refused:
        adapter_of(cluster({ADDONS: text}))
    assert repr(text) in refused.value.found
    assert "JSON list" in refused.value.expected
    assert refused.value.remedy == "correct the annotation"


def test_cluster_of_an_operator_without_adapter_asks_us() -> None:
    asked = cluster({"kanfunc.io/addons": '["kasten"]', ADDONS: "[]"})
    theirs = replace(asked, ref=replace(asked.ref, flavour=CNPG))
    assert adapter_of(theirs) is KASTEN_ADAPTER
    with pytest.raises(Refused, match=r"kanfunc\.io/addons: absent"):
        adapter_of(replace(cluster({ADDONS: '["kasten"]'}), ref=theirs.ref))


# ---- free key names


def label(key: str, kind: str = "label") -> Config:
    return {"key": key, "metadataType": kind, "value": "yes"}


def configuration() -> Config:
    return {
        "electedResourcesDecorators": [label("b.example/elected"), label("b.example/note", "annotation")],
        "excludedResourcesDecorators": [label("b.example/excluded")],
        "backupInstanceDecorators": [label("b.example/hooked")],
        "preBackupHookConfiguration": {
            "container": {"key": "a.example/pre-container"},
            "command": {"key": "a.example/pre"},
            "onError": {"key": "a.example/pre-failed"},
        },
        "postBackupHookConfiguration": {
            "container": {"key": "a.example/post-container"},
            "command": {"key": "a.example/post"},
        },
    }


def configured(config: Config | str) -> Cluster:
    text = config if isinstance(config, str) else yaml.safe_dump(config)
    return cluster({ADDONS: FREE, CONFIG: text})


def test_free_key_names_are_read() -> None:
    config = configuration() | {"aKeyOfNextYear": [{"x": 1}]}
    adapter = adapter_of(configured(config))
    assert (adapter.hooked, adapter.elected, adapter.excluded) == (
        {"b.example/hooked": "yes"}, {"b.example/elected": "yes"}, {"b.example/excluded": "yes"},
    )  # fmt: skip
    assert (adapter.pre_command, adapter.on_error) == ("a.example/pre", "a.example/pre-failed")
    assert (adapter.post_container, adapter.post_command) == ("a.example/post-container", "a.example/post")
    assert adapter.excludes_all


def test_selector_says_that_not_all_others_are_excluded() -> None:
    config = configuration() | {"excludedResourcesSelector": "app=x,env=prod"}
    assert not adapter_of(configured(config)).excludes_all


def without(*path: str) -> Callable[[Config], None]:
    def spoil(config: Config) -> None:
        for key in path[:-1]:
            config = config[key]
        del config[path[-1]]

    return spoil


def setting(value: Any, *path: str) -> Callable[[Config], None]:
    def spoil(config: Config) -> None:
        for key in path[:-1]:
            config = config[key]
        config[path[-1]] = value

    return spoil


def neither(config: Config) -> None:
    config["electedResourcesDecorators"] = config["excludedResourcesDecorators"] = []


@pytest.mark.parametrize(
    "spoil",
    [
        without("backupInstanceDecorators"),
        without("preBackupHookConfiguration"),
        without("preBackupHookConfiguration", "onError"),
        without("postBackupHookConfiguration", "command"),
        setting([], "backupInstanceDecorators"),
        setting([label("k", "annotation")], "backupInstanceDecorators"),
        setting([label("k", "annotation")], "electedResourcesDecorators"),
        setting([label("k", "annotation")], "excludedResourcesDecorators"),
        setting([label("")], "electedResourcesDecorators"),
        setting([label("k", "taint")], "electedResourcesDecorators"),
        setting([{"key": "k", "metadataType": "label"}], "electedResourcesDecorators"),
        setting([{"key": "k", "metadataType": "label", "value": True}], "electedResourcesDecorators"),
        setting("b.example/elected", "electedResourcesDecorators"),
        setting("", "preBackupHookConfiguration", "command", "key"),
        setting(7, "postBackupHookConfiguration", "container", "key"),
        neither,
    ],
)
def test_configuration_that_cannot_be_used_is_refused(spoil: Callable[[Config], None]) -> None:
    config = configuration()
    spoil(config)
    with pytest.raises(Refused, match="cannot be used") as refused:
        adapter_of(configured(config))
    assert CONFIG in refused.value.found
    assert "labels" in refused.value.remedy


@pytest.mark.parametrize("text", ["", "- a", "a: [", "\0", "!!python/object:os.system x", "x", "1", "{}"])
def test_text_that_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="cannot be used"):
        adapter_of(configured(text))


# ---- other products


def test_clusters_of_cloud_pak_are_recognised() -> None:
    config = configuration()
    config["excludedResourcesDecorators"] = [label("icpdsupport/empty-on-backup")]
    assert is_of_another_product(configured(config))
    assert is_of_another_product(cluster({"icpdsupport/addOnId": "x"}))
    assert is_of_another_product(replace(cluster(), labels={"icpdsupport/app": "x"}))
    assert not is_of_another_product(configured(configuration()))
