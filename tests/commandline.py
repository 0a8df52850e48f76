"""Running the command line as its users do: as a process, with streams and an exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from typer import Typer
from typer.core import TyperGroup
from typer.main import get_command

Finished = subprocess.CompletedProcess[str]


def environment(**variables: str) -> dict[str, str]:
    """Ours without what would lead the product elsewhere, wide enough that help is not folded."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("KANFUNC_", "KUBE"))}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1", **variables}


def kanfunc(*arguments: str, **variables: str) -> Finished:
    return python("-m", "kanfunc", *arguments, **variables)


def python(*arguments: str, **variables: str) -> Finished:
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


LOADED = "import atexit, runpy, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"


def loaded_by(*arguments: str, **variables: str) -> set[str]:
    """Names of all modules that are there when such a command has ended."""
    run = f"sys.argv = ['kanfunc', *{arguments!r}]; runpy.run_module('kanfunc', run_name='__main__')"
    return set(python("-c", f"{LOADED}; {run}", **variables).stderr.splitlines()[-1].split())


def parsed(app: Typer, words: Sequence[str]) -> dict[str, Any]:
    """What the real command line makes of these words, without running the command.

    Raises click's UsageError where it does not take them.
    """
    commands = get_command(app)
    assert isinstance(commands, TyperGroup)
    with commands.make_context("kanfunc", list(words)) as context:
        name, command, rest = commands.resolve_command(context, [*context._protected_args, *context.args])
        assert command
        with command.make_context(name, rest, parent=context) as chosen:
            return dict(chosen.params)


def last_line(finished: Finished) -> dict[str, Any]:
    """The one line of the log that says how it ended."""
    assert "Traceback" not in finished.stderr
    line: dict[str, Any] = json.loads(finished.stderr.splitlines()[-1])
    assert line["level"] == "error"
    assert line["exit"] == finished.returncode
    return line
