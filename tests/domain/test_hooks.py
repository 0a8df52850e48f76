from dataclasses import replace

import pytest

from kanfunc.domain.adapter import KASTEN_ADAPTER
from kanfunc.domain.errors import Refused
from kanfunc.domain.hooks import Hooks, hooks_of
from kanfunc.domain.world import Instance
from tests.builders import KASTEN, ON_ERROR, POST, PRE, Scene, healthy
from tests.domain.spoiling import annotation


def elected(scene: Scene) -> Instance:
    return next(pod for pod in scene.world().instances if pod.name == "pg-2")


def test_commands_are_taken_as_argv() -> None:
    assert hooks_of(elected(healthy()), KASTEN_ADAPTER) == Hooks(PRE, ON_ERROR, POST)


@pytest.mark.parametrize("name", ["pre-backup-command", "pre-backup-on-error", "post-backup-command"])
@pytest.mark.parametrize(
    "text",
    [None, "", " ", "[]", '[""]', '["", "x"]', "/controller/manager snapshot", '"/controller/manager"', "[1]",
     '["x", null]', '{"a":"b"}', '["x"', "null", '["x", "a\\u0000b"]', '["\\ud800"]', "$(reboot)"],
)  # fmt: skip
def test_command_that_is_no_argv_is_refused(name: str, text: str | None) -> None:
    scene = healthy()
    annotation("pod/pg-2", f"{KASTEN}/{name}", text)(scene)
    with pytest.raises(Refused, match=f"{KASTEN}/{name} on pod pg-2") as refused:
        hooks_of(elected(scene), KASTEN_ADAPTER)
    assert repr(text or "") in refused.value.found
    assert "JSON list of words" in refused.value.expected
    assert "ever run through a shell" in refused.value.remedy


@pytest.mark.parametrize("phase", ["pre", "post"])
@pytest.mark.parametrize("container", [None, "", "Postgres", "sidecar"])
def test_command_for_another_container_is_refused(phase: str, container: str | None) -> None:
    scene = healthy()
    annotation("pod/pg-2", f"{KASTEN}/{phase}-backup-container", container)(scene)
    with pytest.raises(Refused, match=f"{phase}-backup-container on pod pg-2") as refused:
        hooks_of(elected(scene), KASTEN_ADAPTER)
    assert "'postgres'" in refused.value.expected
    assert refused.value.remedy


def test_words_are_kept_as_they_are() -> None:
    instance = elected(healthy())
    command = {f"{KASTEN}/post-backup-command": '["x", "$(y) \'z\'", "a\\nb", ""]'}
    spoken = replace(instance, annotations={**instance.annotations, **command})
    assert hooks_of(spoken, KASTEN_ADAPTER).post_backup == ("x", "$(y) 'z'", "a\nb", "")
