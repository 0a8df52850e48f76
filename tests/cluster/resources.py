"""Kinds of objects that only this ring has to do with."""

from tests.lab.apiserver import Resource

ACTION_SETS = Resource("cr.kanister.io", "v1alpha1", "actionsets", "ActionSet", custom=True)
BLUEPRINTS = Resource("cr.kanister.io", "v1alpha1", "blueprints", "Blueprint", custom=True)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", status=True)


def _kasten(group: str, plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    """Group, version and kind are Kasten's; whether each has a status subresource there is not known."""
    return Resource(f"{group}.kio.kasten.io", "v1alpha1", plural, kind, namespaced, status=True, custom=True)


POLICIES = _kasten("config", "policies", "Policy")
BINDINGS = _kasten("config", "blueprintbindings", "BlueprintBinding")
RUN_ACTIONS = _kasten("actions", "runactions", "RunAction")
RESTORE_ACTIONS = _kasten("actions", "restoreactions", "RestoreAction")
RESTORE_POINTS = _kasten("apps", "restorepoints", "RestorePoint")
CONTENTS = _kasten("apps", "restorepointcontents", "RestorePointContent", namespaced=False)
KASTEN_TYPES = (POLICIES, BINDINGS, RUN_ACTIONS, RESTORE_ACTIONS, RESTORE_POINTS, CONTENTS)


def definition(resource: Resource) -> object:
    """A CustomResourceDefinition that accepts every field."""
    scope = "Namespaced" if resource.namespaced else "Cluster"
    names = {"plural": resource.plural, "kind": resource.kind, "singular": resource.kind.lower()}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}} if resource.status else {},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": resource.qualified_name,
            "annotations": {"api-approved.kubernetes.io": "unapproved, of a test"},
        },
        "spec": {"group": resource.group, "scope": scope, "names": names, "versions": [version]},
    }
