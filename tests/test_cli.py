import re
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from kanfunc import __version__
from kanfunc.cli import app
from tests.commandline import kanfunc, loaded_by

ROOT = Path(__file__).parents[1]
VERBS = ["fence", "unfence", "verify-restore"]


# ---- help and version


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb_names_its_options_and_variables(verb: str) -> None:
    shown = kanfunc(verb, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    options = set(re.findall(r"--[a-z-]+", shown.stdout)) - {"--help", "--outcome"}
    variables = set(re.findall(r"KANFUNC_[A-Z_]+", shown.stdout)) - {"KANFUNC_OUTCOME"}
    assert {"--namespace", "--cluster", "--stream-timeout"} <= options
    assert {option[2:].replace("-", "_").upper() for option in options} >= {name[8:] for name in variables}
    assert "Exit 0" in shown.stdout or "Exit 2" in shown.stdout


def test_help_tells_the_verbs_and_the_exit_codes() -> None:
    shown = kanfunc("-h")
    assert shown.returncode == 0
    assert all(verb in shown.stdout for verb in VERBS)
    assert all(f"{code} " in shown.stdout for code in range(5))


@pytest.mark.parametrize("arguments", [["--help"], ["fence", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    loaded = {name.partition(".")[0] for name in loaded_by(*arguments)}
    assert {"kanfunc", "typer"} <= loaded
    heavy = {"kubernetes", "psycopg", "urllib3", "websocket", "yaml", "requests"}
    assert not (heavy | {"rich", "markdown_it", "pygments"}) & loaded


def test_version_is_told() -> None:
    shown = kanfunc("--version")
    assert (shown.returncode, shown.stdout) == (0, f"{__version__}\n")


# ---- usage


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["backup"],
        ["fence"],
        ["fence", "-n"],
        ["fence", "-n", "prod", "extra"],
        ["fence", "-n", "prod", "--unknown"],
        ["fence", "-n", "prod", "--deadline", "soon"],
        ["fence", "-n", "prod", "--deadline", "0"],
        ["fence", "-n", "prod", "--stop-timeout", "-1"],
        ["unfence", "-n", "prod"],
        ["unfence", "-n", "prod", "--outcome", "perhaps"],
        ["unfence", "-n", "prod", "--outcome", "success", "--wait", "forever"],
        ["verify-restore", "-n", "prod", "--report", "/nowhere"],
        ["verify-restore", "-n", "prod", "--clock-tolerance", "-1"],
        ["--log-format", "xml", "fence", "-n", "prod"],
        pytest.param(["fence", "-n", "prod", "--deadline", "inf"]),
        ["fence", "-n", "prod", "--max-age", "nan"],
        pytest.param(["unfence", "-n", "prod", "--outcome", "failure", "--hook-budget", "1e99"]),
    ],
    ids=" ".join,
)
def test_bad_usage_is_refused(arguments: list[str]) -> None:
    refused = kanfunc(*arguments, KUBECONFIG="/nowhere/kubeconfig")
    assert refused.returncode == 3
    assert "Traceback" not in refused.stderr
    assert re.search("Usage:|Error", refused.stderr + refused.stdout)


@pytest.mark.parametrize("variable", ["KANFUNC_DEADLINE", "KANFUNC_LOG_FORMAT", "KANFUNC_STREAM_TIMEOUT"])
def test_variable_is_checked_like_its_option(variable: str) -> None:
    refused = kanfunc("fence", "-n", "prod", KUBECONFIG="/nowhere/kubeconfig", **{variable: "nonsense"})
    assert refused.returncode == 3
    assert f"--{variable[8:].lower().replace('_', '-')}" in refused.stderr


def documented() -> set[tuple[str, str]]:
    """Command and option of each line of the README's table of options."""
    everything = set(commands())
    lines = re.findall(r"(?m)^\| `(--[a-z-]+)`[^|]*\| ([^|]+) \|", (ROOT / "README.md").read_text())
    return {
        (verb, option)
        for option, verbs in lines
        for verb in (everything - {"report"} if verbs == "all but report" else set(verbs.split(", ")))
    }


def commands() -> dict[str, list[str]]:
    """Long options of each command."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return {
        name: [word for option in command.params for word in option.opts if word.startswith("--")]
        for name, command in group.commands.items()
    }


def test_readme_lists_every_option_and_no_other() -> None:
    real = {(verb, option) for verb, options in commands().items() for option in options}
    assert documented() == real


def test_no_environment_variable_means_two_things() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    meanings: dict[str, set[str]] = {}
    for command in group.commands.values():
        for option in command.params:
            assert option.envvar, f"{command.name} {option.name} has no environment variable"
            meanings.setdefault(str(option.envvar), set()).add(str(option.name))
    assert all(len(names) == 1 for names in meanings.values()), meanings
