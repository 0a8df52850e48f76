"""Run the demo: choose the form, tell the acts, turn their end into an exit code."""

import subprocess
import sys

import psycopg

from tests.lab.apiserver import StatusError
from tests.lab.demo.backup import back_up
from tests.lab.demo.counterexamples import find_out
from tests.lab.demo.opening import open_story
from tests.lab.demo.restore import lose_everything, restore
from tests.lab.demo.scene import ClaimFailed, Scene
from tests.lab.demo.stage import Claim, Narrator, narrator_for
from tests.lab.lab import Lab
from tests.lab.workspace import LabError

TITLE = "kanfunc: a backup that is proven cold, a restore that is proven to continue it"
NOT_HELD, INTERRUPTED = 1, 130
# What goes wrong outside the product: programs, connections and time limits of the lab.
TROUBLE = (LabError, StatusError, psycopg.Error, subprocess.SubprocessError, TimeoutError)


def main() -> int:
    """Tell the story on standard output and return the exit code."""
    with narrator_for(sys.stdout) as narrator:
        try:
            return perform(narrator)
        except KeyboardInterrupt:
            narrator.verdict([], "Interrupted: nothing is shown, and nothing is left behind.")
            return INTERRUPTED


def perform(narrator: Narrator) -> int:
    """Open a lab and tell all acts in it; 0 only if every claim held."""
    narrator.busy("starting the lab")
    made: list[Claim] = []
    try:
        with Lab.open() as lab:
            tell(Scene(lab, narrator, made))
    except ClaimFailed as failure:
        narrator.verdict(made, f"NOT HELD: {failure}")
    except TROUBLE as trouble:
        narrator.verdict(made, f"BROKEN OFF, not shown: {trouble}")
    else:
        narrator.verdict(made, f"All {len(made)} claims held. EDB's and Veeam's parts in it were stand-ins.")
        return 0
    return NOT_HELD


def tell(scene: Scene) -> None:
    """The acts, in their order."""
    scene.narrator.title(TITLE, notes(scene.lab))
    workload = open_story(scene)
    backup = back_up(scene, workload)
    lose_everything(scene, workload)
    restore(scene, workload, backup)
    find_out(scene, backup)


def notes(lab: Lab) -> list[tuple[str, str]]:
    """What the audience must know before: which parts are the real ones."""
    return [
        ("real", f"PostgreSQL {lab.binaries.version}: initdb, streaming, crash recovery, promotion; TLS"),
        ("real", "kanfunc, as the process that a hook starts; the Kubernetes client, HTTP and WebSocket"),
        ("stand-ins", "EDB's operator and backup adapter, Veeam Kasten, the API server, the CSI driver"),
    ]


if __name__ == "__main__":
    sys.exit(main())
