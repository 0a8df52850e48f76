"""What a restored cluster may do to its source. None of it spoils a verdict; each can cost a database.

Sources: CloudNativePG's code as of 1.30: `specs/secrets.go` never rewrites the URIs of a restored Secret,
`archiver.go` looks whether an archive is empty only in a new PGDATA.
"""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.manifest import Manifest, text_in
from kanfunc.domain.world import Cluster, ClusterRef

_NAMED = 5
"""Pods that are named; the others are counted."""


def archives(cluster: Cluster) -> list[Finding]:
    """Where it writes its WAL: a copy of a Cluster keeps the archive of the source."""
    if cluster.annotations.get(cluster.flavour.key("skipWalArchiving")) == "enabled":
        return []
    return [
        _warning("archive", f"WAL is written to {place}", "no archive, or one of its own",
                 "the copy keeps the settings of its source: while that lives, both write into one archive "
                 "and spoil it. Give this one another, or take /spec/backup and /spec/plugins away: "
                 "docs/copies.md")
        for place in _places(cluster.spec, cluster.ref.name)
    ]  # fmt: skip


def others(pods: Sequence[str]) -> list[Finding]:
    """What else runs beside the cluster, and may have come with the restore point."""
    if not pods:
        return []
    named = ", ".join(pods[:_NAMED]) + (f" and {len(pods) - _NAMED} more" if len(pods) > _NAMED else "")
    return [
        _warning("workloads", f"pods of others run here: {named}", "the cluster alone",
                 "applications that came with the restore work on what their settings name: on this database "
                 "before it was verified, or on systems of the source")
    ]  # fmt: skip


def addresses(user: str, found: Sequence[tuple[str, str]], ref: ClusterRef) -> list[Finding]:
    """Keys of a user's Secret, with the hosts in them, that lead into another namespace."""
    keys = sorted({f"{key} ({host})" for key, host in found if _elsewhere(host, ref)})
    if not keys:
        return []
    return [
        _warning(f"addresses of {user}", f"the Secret names another namespace in {', '.join(keys)}",
                 f"namespace {ref.namespace}",
                 "the operator does not rewrite these keys: applications that use them work on the source")
    ]  # fmt: skip


def host_in(key: str, text: str) -> str:
    """The host that a key of an operator's Secret names; nothing else of it leaves this function.

    >>> host_in("jdbc-uri", "jdbc:postgresql://pg-rw.prod:5432/app?password=x&user=app")
    'pg-rw.prod'
    >>> host_in("host", "pg-rw"), host_in("uri", "[")
    ('pg-rw', '')
    """
    text = text.strip()
    if "uri" not in key:
        return text if re.fullmatch(r"[A-Za-z0-9.-]{1,253}", text) else ""
    try:
        return urlsplit(text.removeprefix("jdbc:")).hostname or ""
    except ValueError:
        return ""


def _elsewhere(host: str, ref: ClusterRef) -> bool:
    service, _, rest = host.partition(".")
    return service in {f"{ref.name}-{kind}" for kind in ("rw", "ro", "r")} and (
        rest.partition(".")[0] not in {"", ref.namespace}
    )


def _places(spec: Manifest, name: str) -> Iterator[str]:
    """The operator's own archive, and those of plugins that archive; enabled is what is not disabled."""
    backup = _mapping(spec.get("backup"))
    if backup.get("barmanObjectStore"):
        store = _mapping(backup["barmanObjectStore"])
        yield f"{_address(store.get('destinationPath'))} as {text_in(store, 'serverName') or name}"
    plugins = spec.get("plugins")
    for plugin in map(_mapping, plugins if isinstance(plugins, list) else ()):
        if plugin.get("isWALArchiver") and plugin.get("enabled") is not False:
            parameters = _mapping(plugin.get("parameters"))
            place = text_in(parameters, "barmanObjectName") or text_in(plugin, "name")
            yield f"{place} as {text_in(parameters, 'serverName') or name}"


def _address(value: object) -> str:
    """Where an archive is, without keys: people put them before the host, or behind a question mark.

    >>> _address("s3://id:key@bucket/path?more"), _address(None)
    ('s3://bucket/path', 'an object store')
    """
    found = re.fullmatch(r"([a-z0-9+]{1,20}://)(?:[^?#]*@)?([^@?#]+).*", str(value), re.DOTALL)
    return found[1] + found[2] if found else "an object store"


def _mapping(value: object) -> Manifest:
    """What should be an object, and is not in every cluster's manifest."""
    return value if isinstance(value, dict) else {}


def _warning(check: str, found: str, expected: str, meaning: str) -> Finding:
    return Finding(check=check, status=Status.WARNING, found=found, expected=expected, meaning=meaning)
