"""Restores that only look good: a hot copy, one that carries an old mark, and an empty healthy cluster."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.cluster.application import Application
from tests.cluster.conftest import install
from tests.cluster.kasten.runner import Kasten
from tests.lab.apiserver import Manifest
from tests.lab.kasten.restore import without_annotations_of_volumes
from tests.lab.operator.names import CNPG

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def unproven(kasten: Kasten) -> Iterator[Application]:
    """Bound to no blueprint: Kasten copies what runs, and asks nobody about the restore."""
    install(CNPG, "policy")
    application = Application(kasten, "unproven", CNPG, "binding")
    application.create()
    yield application
    application.delete_namespace()


def test_restores_that_only_look_good(unproven: Application) -> None:
    """In one story, since each begins with what the one before left: restores take their time."""
    application = unproven
    application.query(application.primary, "CREATE TABLE proof (); COMMENT ON TABLE proof IS 'ours'")
    hot = _copy(application)
    cold = _cold_copy(application)

    _restore(application, hot)
    assert _comment(application) == "ours", "it looks good"
    _assert_found_out(application, "no mark")

    _restore(application, cold)
    leads = application.primary
    application.query(leads, "COMMENT ON TABLE proof IS 'newer than the fence'")
    marked = _copy(application)  # hot, of the volume that still carries the mark
    _restore(application, marked)
    assert _comment(application) == "newer than the fence"
    _assert_found_out(application, "promot")

    kept = application.kasten.exports[cold]
    application.kasten.exports["unannotated"] = replace(
        kept, claims=tuple(without_annotations_of_volumes(claim) for claim in kept.claims)
    )
    _restore(application, "unannotated")
    assert len(application.instances()) == application.cluster["spec"]["instances"], "healthy"
    _assert_found_out(application, "empty")

    _restore(application, cold)
    proven = application.hook("restorePosthook")
    assert proven.exit_code == 0, proven.output


def _copy(application: Application) -> str:
    """Content of a run of the policy, whose hooks are bound nowhere."""
    action = application.back_up()
    assert action["status"]["state"] == "Complete", "Kasten has nothing to say"
    return str(action["status"]["restorePoints"][0]["name"])


def _cold_copy(application: Application) -> str:
    application.fence()
    content = _copy(application)
    done = application.unfence()
    assert done.exit_code == 0, done.output
    return content


def _restore(application: Application, content: str) -> None:
    """One instance suffices: less to wait for."""
    application.delete_namespace()
    kept = application.kasten.exports[content]
    application.kasten.exports[content] = replace(kept, clusters=tuple(map(_alone, kept.clusters)))
    action = application.restore(content)
    assert action["status"]["state"] == "Complete", action["status"]
    application.await_ready()


def _alone(cluster: Manifest) -> Manifest:
    return cluster | {"spec": cluster["spec"] | {"instances": 1}}


def _comment(application: Application) -> str:
    return application.query(application.primary, "SELECT obj_description('proof'::regclass)")


def _assert_found_out(application: Application, why: str) -> None:
    done = application.hook("restorePosthook")
    assert done.exit_code
    assert why in done.output, done.output
