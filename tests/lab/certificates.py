"""Certificates of one simulated cluster: its authority, its servers and its clients."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import trustme

from tests.lab.workspace import Identity

REPLICATION_ROLE = "streaming_replica"
APPLICATION_ROLE = "app"


@dataclass(frozen=True)
class KeyFiles:
    """A certificate and its key as files, in the form that libpq's `sslcert` and `sslkey` take."""

    certificate: Path
    key: Path


@dataclass(frozen=True, repr=False)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def write(self, directory: Path, name: str, owner: Identity) -> KeyFiles:
        """Write `name`.crt and `name`.key into a directory, the key readable by its owner only."""
        return KeyFiles(
            owner.write(directory / f"{name}.crt", self.certificate, 0o644),
            owner.write(directory / f"{name}.key", self.key, 0o600),
        )


@dataclass(frozen=True, repr=False)
class InstanceTls:
    """What one instance needs: whom to trust, who it is, and who it is when it follows a primary."""

    authority: bytes
    server: KeyPair
    replication: KeyPair


class Authority:
    """The certificate authority of one cluster."""

    def __init__(self, authority: trustme.CA) -> None:
        self._authority = authority

    @classmethod
    def create(cls) -> Self:
        """Make a new authority with a new key."""
        return cls(trustme.CA())

    @classmethod
    def from_pem(cls, pair: KeyPair) -> Self:
        """Take up an authority that was stored by `to_pem`, as from the cluster's CA Secret."""
        return cls(trustme.CA.from_pem(pair.certificate, pair.key))

    def to_pem(self) -> KeyPair:
        """Return the authority's own certificate and key."""
        return KeyPair(self.certificate, self._authority.private_key_pem.bytes())

    @property
    def certificate(self) -> bytes:
        """The certificate to trust (PEM), libpq's `sslrootcert`."""
        return self._authority.cert_pem.bytes()

    def server(self, names: Iterable[str], *, not_after: datetime | None = None) -> KeyPair:
        """Issue a server certificate for host names."""
        return _pair(self._authority.issue_cert(*names, not_after=not_after))

    def client(self, common_name: str, *, not_after: datetime | None = None) -> KeyPair:
        """Issue a client certificate; PostgreSQL's `cert` method takes the common name for the role."""
        return _pair(self._authority.issue_cert(common_name=common_name, not_after=not_after))

    def instance(self, names: Iterable[str]) -> InstanceTls:
        """Issue everything that one instance, reached under `names`, needs."""
        return InstanceTls(self.certificate, self.server(names), self.client(REPLICATION_ROLE))


def _pair(leaf: trustme.LeafCert) -> KeyPair:
    chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    return KeyPair(chain, leaf.private_key_pem.bytes())
