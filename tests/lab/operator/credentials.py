"""The Secrets of a cluster: its certificate authority and the credentials of its application."""

import secrets

from tests.lab.apiserver import SECRETS, StatusError, Store
from tests.lab.certificates import Authority, KeyPair
from tests.lab.operator.manifests import credentials, secret, secret_data
from tests.lab.operator.names import Manifest


def ensure_authority(store: Store, cluster: Manifest) -> Authority:
    """The authority in Secret `<cluster>-ca`, which is reused where it was restored."""
    name = f"{cluster['metadata']['name']}-ca"
    stored = _read(store, cluster, name)
    if stored is not None:
        return Authority.from_pem(KeyPair(stored["ca.crt"].encode(), stored["ca.key"].encode()))
    authority = Authority.create()
    pair = authority.to_pem()
    data = {"ca.crt": pair.certificate.decode(), "ca.key": pair.key.decode()}
    store.create(SECRETS, secret(cluster, name, data))
    return authority


def ensure_credentials(store: Store, cluster: Manifest) -> None:
    """Secret `<cluster>-app`; one that was restored stays as it is, also where it names the old namespace."""
    name = f"{cluster['metadata']['name']}-app"
    if _read(store, cluster, name) is None:
        store.create(SECRETS, secret(cluster, name, credentials(cluster, secrets.token_urlsafe(12))))


def _read(store: Store, cluster: Manifest, name: str) -> dict[str, str] | None:
    try:
        return secret_data(store.get(SECRETS, cluster["metadata"]["namespace"], name))
    except StatusError as error:
        if error.code != 404:
            raise
        return None
