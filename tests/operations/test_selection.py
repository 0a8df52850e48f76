from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from kanfunc.domain.errors import ApiFailed, NotFound, Refused
from kanfunc.domain.world import Cluster, ClusterRef
from kanfunc.operations.selection import select_clusters
from kanfunc.ports import ClusterApi
from tests.builders import cluster


class Namespace:
    """Some Clusters, or the failure to list them."""

    def __init__(self, *names: str, failure: Exception | None = None) -> None:
        self._clusters = tuple(replace(cluster(), ref=ClusterRef("prod", name)) for name in names)
        self._failure = failure

    def clusters(self, namespace: str) -> tuple[Cluster, ...]:
        assert namespace == "prod"
        if self._failure:
            raise self._failure
        return self._clusters


def chosen(namespace: Namespace, *names: str) -> Sequence[str]:
    found = select_clusters(cast("ClusterApi", namespace), "prod", names)
    return [each.ref.name for each in found]


def test_all_or_the_named_ones_are_chosen_in_their_order() -> None:
    assert chosen(Namespace("a", "b", "c")) == ["a", "b", "c"]
    assert chosen(Namespace("a", "b", "c"), "c", "a", "c") == ["a", "c"]


@pytest.mark.parametrize(
    ("namespace", "names", "found", "expected"),
    [
        (Namespace(), (), "no Cluster in namespace prod", "at least one"),
        (Namespace(), ("a",), "has no Cluster a", "there is none"),
        (Namespace("a"), ("a", "y", "x"), "has no Cluster x, y", "one of: a"),
        (Namespace(failure=NotFound("404")), (), "does not know", "to be installed"),
    ],
)
def test_nothing_to_protect_is_refused(
    namespace: Namespace, names: Sequence[str], found: str, expected: str
) -> None:
    with pytest.raises(Refused) as refused:
        chosen(namespace, *names)
    assert found in refused.value.found
    assert expected in refused.value.expected
    assert refused.value.remedy


def test_failure_of_the_api_is_no_refusal() -> None:
    with pytest.raises(ApiFailed):
        chosen(Namespace(failure=ApiFailed("403")))
