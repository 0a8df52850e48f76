"""The operators we know, as data: API group, prefix of labels and annotations, who elects and fences."""

from dataclasses import dataclass
from enum import StrEnum

OWN_PREFIX = "kanfunc.io"
RECORD_ANNOTATION = f"{OWN_PREFIX}/fence"


class FlavourName(StrEnum):
    """What users call them."""

    EDB = "edb"
    CNPG = "cloudnative-pg"


@dataclass(frozen=True)
class Flavour:
    """An operator's dialect. Source: labels and annotations pages of the two products.

    has_adapter: the operator elects the instance to back up and brings the commands that stop it. Where it
    has none, we elect, and the fence is placed by a patch of ours.
    """

    name: FlavourName
    product: str
    group: str
    prefix: str
    has_adapter: bool
    version: str = "v1"
    plural: str = "clusters"
    backups: str = "backups"

    def key(self, name: str) -> str:
        """The label or annotation `name` in this operator's spelling."""
        return f"{self.prefix}/{name}"

    def adapter_key(self, name: str) -> str:
        """An annotation that the operator's adapter reads, or ours where it has none."""
        return f"{self.prefix if self.has_adapter else OWN_PREFIX}/{name}"

    @property
    def fenced_instances(self) -> str:
        """Annotation on the Cluster: JSON list of instances whose PostgreSQL must not run."""
        return self.key("fencedInstances")


EDB = Flavour(
    name=FlavourName.EDB,
    product="EDB Postgres for Kubernetes",
    group="postgresql.k8s.enterprisedb.io",
    prefix="k8s.enterprisedb.io",
    has_adapter=True,
)
CNPG = Flavour(
    name=FlavourName.CNPG,
    product="CloudNativePG",
    group="postgresql.cnpg.io",
    prefix="cnpg.io",
    has_adapter=False,
)
FLAVOURS = (EDB, CNPG)
