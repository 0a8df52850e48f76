"""Kinds of objects that only this ring has to do with."""

from tests.lab.apiserver import Resource

ACTION_SETS = Resource("cr.kanister.io", "v1alpha1", "actionsets", "ActionSet", custom=True)
_KASTEN = ("kio.kasten.io", "v1alpha1")
POLICIES = Resource(f"config.{_KASTEN[0]}", _KASTEN[1], "policies", "Policy", custom=True)
BINDINGS = Resource(f"config.{_KASTEN[0]}", _KASTEN[1], "blueprintbindings", "BlueprintBinding", custom=True)
KASTEN_TYPES = (POLICIES, BINDINGS)


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
