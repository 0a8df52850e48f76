"""What is wrong with the call: names, options, access, permissions, and which clusters there are."""

from collections.abc import Callable

import pytest

from tests.builders import REF
from tests.gateways.conftest import FOREVER, of
from tests.lab.apiserver import ApiServer, Fault, Refuse
from tests.refusals.conftest import Call, Ended, World
from tests.refusals.test_scenes import check

LONG = "a-name-of-fifty-characters-which-is-all-they-allow"
BAD_NAMESPACES = (
    "",
    " ",
    "a b",
    "A",
    "a.b",
    "a/b",
    "..",
    "-a",
    "a-",
    "a" * 64,
    "ä",
    "a\n",
    "$(reboot)",
    "a;b",
    "*",
)
BAD_NAMES = ("", " ", "a b", "A", "a/b", "..", ".a", "a.", "a..b", "-a", "a" * 64,
             ("a" * 60 + ".") * 5 + "a", "a\n", "$(reboot)", "--", "*")  # fmt: skip
USAGE = [
    ("fence",),
    ("fence", "-n"),
    ("fence", "-n", "prod", "--flavour", "oracle"),
    ("fence", "-n", "prod", "--deadline", "0"),
    ("fence", "-n", "prod", "--stop-timeout", "-1"),
    ("fence", "-n", "prod", "--hook-timeout", "604801"),
    ("fence", "-n", "prod", "--max-age", "soon"),
    ("fence", "-n", "prod", "--outcome", "success"),
    ("unfence", "-n", "prod"),
    ("unfence", "-n", "prod", "--outcome", "maybe"),
    ("unfence", "-n", "prod", "--outcome", "success", "--wait", "forever"),
    ("verify-restore", "-n", "prod", "--report", "/nowhere"),
    ("verify-restore", "-n", "prod", "--expect-fence-id", "fence-1"),
    ("verify-restore", "-n", "prod", "--clock-tolerance", "-1"),
    ("verify-restore", "-n", "prod", "--depth", "abyss"),
    ("verify-restore", "-n", "prod", "--client-port", "65536"),
    ("verify-restore", "-n", "prod", "--checks", "/nowhere"),
    ("elect",),
    ("burn", "-n", "prod"),
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_bad_usage_is_refused_before_any_request(arguments: tuple[str, ...], call: Call) -> None:
    check_usage(call, *arguments)


@pytest.mark.parametrize("name", BAD_NAMESPACES)
def test_name_that_no_namespace_has_is_refused(name: str, call: Call) -> None:
    check_usage(call, "fence", f"--namespace={name}")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_name_that_no_cluster_has_is_refused(name: str, call: Call) -> None:
    check_usage(call, "unfence", "--outcome", "failure", "-n", "prod", f"--cluster={name}")


def check_forbidden(ended: Ended) -> None:
    assert ended.exit_code == 3
    assert "forbidden" in ended.failure["step"].lower() or "permission" in ended.failure["expected"]
    assert ended.failure["next"]
    assert not ended.changed
    assert ended.wrote == []


def check_usage(call: Call, *arguments: str) -> None:
    asked: list[ApiServer] = []
    ended = call(World(), *arguments, prepare=asked.append)
    assert ended.exit_code == 3
    assert "Error" in ended.usage or "Missing" in ended.usage
    assert "Traceback" not in ended.usage
    assert asked[0].requests == []


GOOD_CHECKS = "checks: [{name: it, kind: roles, required: [app]}]"


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (GOOD_CHECKS, ("--depth", "content"), "without --checks"),
        (GOOD_CHECKS, ("--checks", "FILE"), "--depth identity with --checks"),
        (GOOD_CHECKS, ("--depth", "structure", "--checks", "FILE"), "--depth structure with --checks"),
        (GOOD_CHECKS, ("--depth", "content", "--checks", "FILE"), "without --credentials"),
        (GOOD_CHECKS, ("--depth", "content", "--checks", "FILE", "--credentials", "FOLDER"), "app/password"),
        (
            "checks: []",
            ("--depth", "content", "--checks", "FILE", "--credentials", "FOLDER"),
            "line 1: checks",
        ),
    ],
)
def test_checks_are_looked_through_before_any_request(
    text: str, words: tuple[str, ...], said: str, call: Call, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("checks") / "checks.yaml"
    file.write_text(text)
    places = {"FILE": str(file), "FOLDER": str(file.parent)}
    asked: list[ApiServer] = []
    arguments = (places.get(word, word) for word in words)
    ended = call(World(), "verify-restore", "-n", REF.namespace, *arguments, prepare=asked.append)
    assert ended.exit_code == 3
    assert said in ended.failure["found"]
    assert ended.failure["next"]
    assert asked[0].requests == []


@pytest.mark.parametrize("name", [LONG, "with.dots", "a.b.c-d.0", "0"])
def test_names_that_clusters_may_have_are_taken(name: str, call: Call) -> None:
    world = World()
    world.scene.cluster["metadata"]["name"] = name
    ended = call(world, "unfence", "--outcome", "failure", "-n", REF.namespace, "--cluster", name)
    assert ended.exit_code == 0, ended.log


@pytest.mark.parametrize("arguments", [("--cluster", "nobody"), ("--flavour", "cloudnative-pg")])
def test_cluster_that_is_not_there_is_refused(arguments: tuple[str, ...], call: Call) -> None:
    check(call(World(), "fence", "-n", REF.namespace, *arguments))


def test_namespace_without_clusters_is_refused(call: Call) -> None:
    check(call(World(), "fence", "-n", "empty"))


@pytest.mark.parametrize("text", ["", "{}", "- a", "hello", '"open', "clusters: 7"])
def test_kubeconfig_that_is_none_is_refused(
    text: str, call: Call, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other") / "kubeconfig"
    other.write_text(text)
    ended = call(World(), "fence", "-n", REF.namespace, kubeconfig=other)
    check(ended, access=False)
    assert "KUBECONFIG" in ended.failure["next"]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "request_of",
    [
        of("clusters", "list"),
        of("clusters", "get"),
        of("pods", "list"),
        of("persistentvolumeclaims"),
        of("backups"),
    ],
    ids=["list clusters", "get cluster", "list pods", "list claims", "list backups"],
)
def test_verb_that_is_forbidden_is_refused(request_of: Callable[..., bool], status: int, call: Call) -> None:
    ended = call(
        World(), "fence", "-n", REF.namespace,
        prepare=lambda server: server.faults.append(Fault(request_of, Refuse(status), FOREVER)),
    )  # fmt: skip
    check_forbidden(ended)


def test_exec_that_is_forbidden_is_refused(call: Call) -> None:
    def forbid(server: ApiServer) -> None:
        server.faults.append(Fault(lambda each: each.subresource == "exec", Refuse(403), FOREVER))

    ended = call(World(), "fence", "-n", REF.namespace, prepare=forbid)
    check_forbidden(ended)
    assert "pods/exec" in ended.failure["next"]


def test_record_of_a_dead_run_that_cannot_be_read_is_refused_by_every_verb(call: Call) -> None:
    for verb in (("fence",), ("unfence", "--outcome", "success"), ("verify-restore",)):
        world = World()
        world.scene.cluster["metadata"]["annotations"]["kanfunc.io/fence"] = "{"
        check(call(world, *verb, "-n", REF.namespace))
