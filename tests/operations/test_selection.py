from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace
from typing import cast

import pytest

from kanfunc.domain.errors import ApiFailed, Forbidden, NotFound, Refused
from kanfunc.domain.flavour import CNPG, EDB, FLAVOURS, Flavour
from kanfunc.domain.world import Cluster, ClusterRef
from kanfunc.gateways.console import Console, LogFormat
from kanfunc.operations.selection import select_clusters
from kanfunc.ports import Ports
from tests.builders import cluster

Answer = Sequence[str] | Exception
UNKNOWN = NotFound("404")


class Namespace:
    """Clusters by operator, or the failure to list them. `log` is what was said."""

    def __init__(self, edb: Answer = (), cnpg: Answer = UNKNOWN, *, foreign: Sequence[str] = ()) -> None:
        self._answers: Mapping[Flavour, Answer] = {EDB: edb, CNPG: cnpg}
        self._foreign = foreign
        self.log = StringIO()

    def clusters(self, namespace: str, flavour: Flavour) -> tuple[Cluster, ...]:
        assert namespace == "prod"
        answer = self._answers[flavour]
        if isinstance(answer, Exception):
            raise answer
        return tuple(self._cluster(name, flavour) for name in answer)

    def _cluster(self, name: str, flavour: Flavour) -> Cluster:
        labels = {"icpdsupport/app": "x"} if name in self._foreign else {}
        return replace(cluster(), ref=ClusterRef("prod", name, flavour), labels=labels)


def chosen(namespace: Namespace, *names: str, flavours: Sequence[Flavour] = FLAVOURS) -> Sequence[str]:
    console = Console("test", LogFormat.JSON, log=namespace.log)
    ports = cast("Ports", SimpleNamespace(api=namespace, journal=console))
    found = select_clusters(ports, "prod", names, flavours)
    return [f"{each.ref.flavour.name}/{each.ref.name}" for each in found]


def test_all_or_the_named_ones_are_chosen_in_their_order() -> None:
    assert chosen(Namespace("abc")) == ["edb/a", "edb/b", "edb/c"]
    assert chosen(Namespace("abc"), "c", "a", "c") == ["edb/a", "edb/c"]


def test_clusters_of_both_operators_are_chosen() -> None:
    assert chosen(Namespace("ab", "bc")) == ["edb/a", "edb/b", "cloudnative-pg/b", "cloudnative-pg/c"]
    assert chosen(Namespace("ab", "bc"), "b") == ["edb/b", "cloudnative-pg/b"]
    assert chosen(Namespace("ab", "bc"), "b", flavours=[CNPG]) == ["cloudnative-pg/b"]
    assert chosen(Namespace(UNKNOWN, "b")) == ["cloudnative-pg/b"]


@pytest.mark.parametrize(
    ("namespace", "names", "found", "expected"),
    [
        (Namespace(), (), "no Cluster in namespace prod", "at least one"),
        (Namespace(), ("a",), "has no Cluster a", "there is none"),
        (Namespace("a"), ("a", "y", "x"), "has no Cluster x, y", "one of: a"),
        (Namespace(UNKNOWN, UNKNOWN), (), "does not know", "EDB Postgres for Kubernetes or CloudNativePG"),
        (Namespace("a", Forbidden("403")), (), "403", "permission to list the Clusters of CloudNativePG"),
        (Namespace("a", foreign="a"), (), "ours to protect", "at least one"),
        (Namespace("ab", foreign="a"), ("a", "b"), "belongs to Cloud Pak for Data", "ours to take"),
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


def test_clusters_of_another_product_are_left_alone_and_told() -> None:
    namespace = Namespace("abc", foreign="b")
    assert chosen(namespace) == ["edb/a", "edb/c"]
    assert "left alone" in namespace.log.getvalue()
    assert "prod/b" in namespace.log.getvalue()


def test_failure_of_the_api_is_no_refusal() -> None:
    with pytest.raises(ApiFailed):
        chosen(Namespace(ApiFailed("500")))
