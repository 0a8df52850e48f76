"""What the product asks of the API server is what its documentation grants it (I10), and never a Secret.

The requests are those of the lab's API server; a real server's audit log also tells what it refuses.
"""

import re

import pytest

from tests.lab.lab import REPOSITORY
from tests.scenarios.protected import Protected

pytestmark = pytest.mark.lab

Right = tuple[str, str]
# A watch begins only where the first list did not show yet what is waited for, which is chance.
WATCHED_WHILE_WAITING = {("clusters", "watch"), ("pods", "watch"), ("volumesnapshots", "watch")}
# `create` is what newer Kubernetes asks for an exec by WebSocket, and `get` what older does.
ONLY_ON_NEWER_SERVERS = {("pods/exec", "create")}


def granted() -> set[Right]:
    """Resource and verb of each permission that the README lists for the hook's service account."""
    readme = (REPOSITORY / "README.md").read_text()
    listed = re.search(
        r"Permissions of the hook's service account[^:]*:(.*?)For\s+`elect`", readme, re.DOTALL
    )
    assert listed
    rights: set[Right] = set()
    for clause in listed[1].split(";"):
        verbs = re.findall(r"\b(get|list|watch|create|update|patch|delete)\b", clause)
        rights |= {(resource, verb) for resource in re.findall(r"`([^`]+)`", clause) for verb in verbs}
    return rights


def test_rights_used_are_rights_granted(protected: Protected) -> None:
    requests = protected.lab.api.requests
    requests.clear()
    source = protected.proven_export()  # fence, unfence
    failed = protected.fence(), protected.unfence(outcome="failure")
    verified = protected.restored(source).verify()
    assert [done.returncode for done in (*failed, verified)] == [0, 0, 0]

    used = {
        (f"{each.plural}/{each.subresource}".rstrip("/"), each.verb)
        for each in requests
        if each.plural  # discovery of what the server serves needs no right
    }
    assert used <= granted()
    assert granted() - used <= WATCHED_WHILE_WAITING | ONLY_ON_NEWER_SERVERS
    assert "secrets" not in {resource for resource, _ in used}
