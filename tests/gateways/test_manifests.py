"""What the API server sends, however deep and odd."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanfunc.domain.errors import WatchBroken
from kanfunc.domain.flavour import EDB
from kanfunc.domain.world import Unreadable
from kanfunc.gateways.fleet import KubeFleet
from kanfunc.gateways.kube import KubeApi
from kanfunc.gateways.manifests import _shallow, parsed
from tests.builders import REF, cluster_manifest
from tests.gateways.conftest import put
from tests.gateways.test_no_secret import answer, hostile
from tests.lab.apiserver import EDB_CLUSTERS, Store

DEEP = "[" * 100_000 + "]" * 100_000


def test_what_is_nested_too_deeply_is_cut_off_and_the_rest_is_read() -> None:
    text = f'{{"items": [{{"a": {DEEP}, "name": "b]\\"["}}, {{"name": "c"}}]}}'
    assert [each["name"] for each in parsed(text.encode())["items"]] == ['b]"[', "c"]


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('ab[]{}"\\,:'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
))  # fmt: skip
def test_nothing_is_cut_off_that_is_not_nested(value: Any) -> None:
    text = json.dumps({"it": value}).encode()
    assert json.loads(b"".join(_shallow(text))) == {"it": value}


@pytest.mark.parametrize("text", [b"[]", b"1", b'"a"', b"", b"[" * 100_000, b"null", b'{"a"'])
def test_what_is_no_object_is_an_error(text: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        parsed(text)


def test_deep_cluster_spoils_neither_list_nor_watch_of_the_others(configuration: Any) -> None:
    items = ", ".join(json.dumps(cluster_manifest()).replace('"pg"', f'"{n}"') for n in ("a", "b"))
    body = f'{{"metadata": {{"resourceVersion": "1"}}, "items": [{items}, {{"metadata": {DEEP}}}]}}'
    deep = body.replace(f', {{"metadata": {DEEP}}}', "").replace(
        '"instances": 3', f'"odd": {DEEP}, "instances": 3', 1
    )
    with hostile(answer(b"200 OK", deep.encode() + b"\n")) as port:
        configuration.host = f"http://127.0.0.1:{port}"
        assert [each.ref.name for each in KubeApi(configuration).clusters("prod", EDB)] == ["a", "b"]
        changes = KubeFleet(configuration).clusters(EDB, None)
        assert [each.ref.name for each in next(changes)] == ["a", "b"]
        with pytest.raises(WatchBroken):  # this server answers a watch with a list
            next(changes)


def test_odd_cluster_is_told_from_the_others_in_a_list(api: KubeApi, store: Store) -> None:
    other = cluster_manifest()
    other["metadata"] |= {"name": "odd", "uid": "another"}
    put(store, EDB_CLUSTERS, other)
    with store._lock:
        store._objects[EDB_CLUSTERS, REF.namespace, "odd"]["metadata"]["creationTimestamp"] = 7
    odd, good = api.clusters(REF.namespace, EDB)
    assert isinstance(odd, Unreadable)
    assert (odd.ref.name, good.ref) == ("odd", REF)
    assert "kanfunc.domain.world" in odd.why
