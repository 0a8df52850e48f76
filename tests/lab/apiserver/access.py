"""Reviews of rights, answered from the RBAC objects in the store: what is not granted is not allowed."""

from collections.abc import Iterator

from tests.lab.apiserver.errors import bad_request
from tests.lab.apiserver.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, Manifest
from tests.lab.apiserver.store import Store


def reviewed(store: Store, review: Manifest) -> Manifest:
    """A SubjectAccessReview with its status. Raises StatusError (400) for one that asks nothing."""
    spec = review.get("spec") or {}
    asked = spec.get("resourceAttributes")
    if not asked or not spec.get("user"):
        raise bad_request("spec.user and spec.resourceAttributes are required")
    allowed = any(_allows(rule, asked) for rule in _rules(store, spec["user"], asked.get("namespace") or ""))
    return {**review, "status": {"allowed": allowed}}


def _rules(store: Store, user: str, namespace: str) -> Iterator[Manifest]:
    bindings = store.list(CLUSTER_ROLE_BINDINGS)
    bindings += store.list(ROLE_BINDINGS, namespace) if namespace else []
    roles = {role["metadata"]["name"]: role for role in store.list(CLUSTER_ROLES)}
    for binding in bindings:
        accounts = [
            f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
            for subject in binding["subjects"]
            if subject["kind"] == "ServiceAccount"
        ]
        role = roles.get(binding["roleRef"]["name"])
        if user in accounts and role:
            yield from role["rules"]


def _allows(rule: Manifest, asked: Manifest) -> bool:
    subresource = asked.get("subresource")
    resource = asked["resource"] + (f"/{subresource}" if subresource else "")
    return (
        (asked.get("group") or "") in rule["apiGroups"]
        and resource in rule["resources"]
        and asked["verb"] in rule["verbs"]
    )
