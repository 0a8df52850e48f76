"""The operators we know, as data: API group and prefix of their labels and annotations."""

from dataclasses import dataclass

OWN_PREFIX = "kanfunc.io"
RECORD_ANNOTATION = f"{OWN_PREFIX}/fence"


@dataclass(frozen=True)
class Flavour:
    """An operator's dialect. Source: labels and annotations page of EDB Postgres for Kubernetes."""

    name: str
    product: str
    group: str
    prefix: str
    version: str = "v1"
    plural: str = "clusters"
    backups: str = "backups"

    def key(self, name: str) -> str:
        """The label or annotation `name` in this operator's spelling."""
        return f"{self.prefix}/{name}"

    @property
    def fenced_instances(self) -> str:
        """Annotation on the Cluster: JSON list of instances whose PostgreSQL must not run."""
        return self.key("fencedInstances")


EDB = Flavour(
    name="edb",
    product="EDB Postgres for Kubernetes",
    group="postgresql.k8s.enterprisedb.io",
    prefix="k8s.enterprisedb.io",
)
