"""What it costs to start: processor time beside a bare Python, and how much is imported.

    python -m benchmarks.startup [--rounds 15]

Time is that of the child process (user and system), the median of interleaved rounds. Whoever connects has a
kubeconfig, and sends nothing. What is imported does not depend on the machine: modules in `sys.modules`.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.measure import Figure
from tests.lab.apiserver import ApiServer, Store

ROUNDS = 15
CONNECT = """
from kanfunc.cli import app
from kanfunc.gateways.console import Console, LogFormat
from kanfunc.process import real_world
real_world(Console("fence", LogFormat.JSON))
"""
COMMANDS = {
    "bare Python": ("-c", "pass"),
    "kanfunc --version": ("-m", "kanfunc", "--version"),
    "kanfunc --help": ("-m", "kanfunc", "--help"),
    "to the first request": ("-c", CONNECT),
}
AIMS = {"kanfunc --help": 0.15, "to the first request": 0.45}
BOUND = "a bare Python, then imports: of those to the first request most is the Kubernetes client"
MODULES = {"kanfunc --help": 280, "to the first request": 720}
COUNT = """
import atexit, runpy, sys
atexit.register(lambda: print(len(sys.modules), file=sys.stderr))
"""
AS_MODULE = "sys.argv = ['kanfunc', *{!r}]; runpy.run_module('kanfunc', run_name='__main__')"


def run(arguments: tuple[str, ...], kubeconfig: Path) -> str:
    """What it says on standard error."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    environment.pop("KUBERNETES_SERVICE_HOST", None)
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stderr


def seconds(arguments: tuple[str, ...], kubeconfig: Path) -> float:
    """Processor time of one child."""
    before = getrusage(RUSAGE_CHILDREN)
    run(arguments, kubeconfig)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def modules(arguments: tuple[str, ...], kubeconfig: Path) -> int:
    """How many modules there are in the end."""
    kind, code, *rest = arguments
    code = AS_MODULE.format(rest) if kind == "-m" else code
    return int(run(("-c", COUNT + code), kubeconfig).split()[-1])


def counted(kubeconfig: Path) -> list[Figure]:
    return [
        Figure(f"{name}, imported", modules(COMMANDS[name], kubeconfig), "modules", most)
        for name, most in MODULES.items()
    ]


def timed(kubeconfig: Path, rounds: int) -> list[Figure]:
    taken = [
        {name: seconds(arguments, kubeconfig) for name, arguments in COMMANDS.items()} for _ in range(rounds)
    ]
    found = []
    for name in COMMANDS:
        found.append(Figure(name, median(each[name] for each in taken), "s", AIMS.get(name), BOUND))
        ratio = median(each[name] / each["bare Python"] for each in taken)
        found.append(Figure(name, ratio, "x bare Python", None))
    return found


def measured(rounds: int) -> list[Figure]:
    """What is imported and, with any rounds, what it costs."""
    with TemporaryDirectory() as directory, ApiServer(Store()) as api:
        kubeconfig = Path(directory) / "kubeconfig"
        api.write_kubeconfig(kubeconfig)
        found = counted(kubeconfig) + (timed(kubeconfig, rounds) if rounds else [])
        if api.requests:
            raise AssertionError(f"something was asked: {api.requests}")
        return found


def figures(quick: bool) -> list[Figure]:  # noqa: FBT001 - as every benchmark
    return measured(0 if quick else ROUNDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    for figure in measured(parser.parse_args().rounds):
        print(figure)


if __name__ == "__main__":
    main()
