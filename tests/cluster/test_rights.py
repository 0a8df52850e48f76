"""Least privilege by the API server's own audit log: what was granted is what was used (I10)."""

import json
from collections.abc import Iterator

import pytest

from tests.chart.helm import CHART, Manifest, rendered
from tests.cluster.application import Application
from tests.cluster.conftest import install
from tests.cluster.node.addons import KASTEN_NAMESPACE
from tests.cluster.node.client import kubectl
from tests.cluster.node.places import AUDIT_LOG, EXISTING
from tests.cluster.node.processes import eventually
from tests.lab.operator.names import CNPG
from tests.scenarios.test_least_privilege import BY_CHANCE, Right, granted

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(600),
    pytest.mark.skipif(EXISTING, reason="the audit log is that of our own API server"),
]

# What every account may ask: about itself, and what the server serves.
OF_EVERYBODY = {"selfsubjectaccessreviews", "selfsubjectreviews", "selfsubjectrulesreviews"}


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    entry = {"name": "edb", "namespace": "edb"}
    values = CHART / "ci" / "default-values.yaml"
    return rendered(values, verifications=[entry], flavours=["cloudnative-pg"])


def test_rights_used_are_rights_granted(application: Application, manifests: list[Manifest]) -> None:
    """By hooks, watchdog and verification Job, since this cluster was made."""
    application.hook("backupPrehook")
    application.hook("backupFailed")  # its record is captured, and is a relic after the restore
    point = application.back_up()["status"]["restorePoints"][0]["name"]
    application.delete_namespace()
    entry = ("verifications[0].name=edb", f"verifications[0].namespace={application.namespace}")
    install(CNPG, "policy")  # nothing is bound: the Job is the first to see this restore
    assert application.restore(point)["status"]["state"] == "Complete"
    application.await_ready()
    install(CNPG, "policy", *entry)
    ours = ["--selector", "app.kubernetes.io/name=edb-kasten"]
    complete = ["wait", "--for=condition=Complete", "job", *ours, "--timeout=120s"]
    kubectl(*complete, "--namespace", application.namespace)
    eventually("the watchdog to elect", lambda: application.elected)
    for account, parts, namespace in (
        ("hook", ("hook", "classes"), KASTEN_NAMESPACE),
        ("watchdog", ("watchdog",), KASTEN_NAMESPACE),
        ("verification", ("verification",), application.namespace),
    ):
        rights = granted(manifests, *parts)
        asked = set(_used(f"system:serviceaccount:{namespace}:edb-kasten-{account}"))
        assert asked <= rights, account
        assert rights - asked <= BY_CHANCE, account


@pytest.mark.usefixtures("kasten")
def test_the_hooks_account_can_do_nothing_more(manifests: list[Manifest]) -> None:
    """The authorizer's own list, and what would hurt most, one by one."""
    install(CNPG, "binding")
    account = f"--as=system:serviceaccount:{KASTEN_NAMESPACE}:edb-kasten-hook"
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    body = json.dumps(review | {"spec": {"namespace": "default"}})
    answer = kubectl("create", "-f", "-", "-o", "json", "--validate=false", account, stdin=body)
    rules = json.loads(answer)["status"]["resourceRules"]
    listed = {(each, verb) for rule in rules for each in rule["resources"] for verb in rule["verbs"]}
    assert {right for right in listed if right[0] not in OF_EVERYBODY} == granted(
        manifests, "hook", "classes"
    )
    for verb, resource in (
        ("get", "secrets"),
        ("create", "pods"),
        ("delete", "pods"),
        ("delete", "persistentvolumeclaims"),
        ("update", "clusters.postgresql.cnpg.io"),
        ("delete", "volumesnapshots.snapshot.storage.k8s.io"),
        ("create", "serviceaccounts/token"),
        ("impersonate", "users"),
        ("get", "nodes"),
    ):
        answer = kubectl("auth", "can-i", verb, resource, account, check=False)
        assert answer.strip() == "no", f"{verb} {resource}"


def _used(user: str) -> Iterator[Right]:
    """What that user asked of the API server and was allowed."""
    with AUDIT_LOG.open() as log:
        for line in log:
            event = json.loads(line)
            asked = event.get("objectRef")
            if event["user"]["username"] == user and asked and asked["resource"] not in OF_EVERYBODY:
                parts = (asked["resource"], asked.get("subresource"))
                yield "/".join(filter(None, parts)), event["verb"]
