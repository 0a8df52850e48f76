"""Run the demo: choose the form, tell the acts, turn their end into an exit code."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

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


Story = Callable[[Narrator, list[Claim]], None]


def main() -> int:
    """Tell the story on standard output and return the exit code."""
    with narrator_for(sys.stdout) as narrator:
        return told(perform, narrator)


def told(story: Story, narrator: Narrator) -> int:
    """Tell a story and its verdict; 0 only if every claim held."""
    made: list[Claim] = []
    interrupted = remembered_interrupt()
    try:
        story(narrator, made)
    except BaseException as end:
        if interrupted.is_set():  # whatever else broke on the way out
            narrator.verdict([], "Interrupted: nothing is shown, and nothing is left behind.")
            return INTERRUPTED
        if not isinstance(end, (ClaimFailed, *TROUBLE)):
            raise
        narrator.verdict(
            made, f"{'NOT HELD' if isinstance(end, ClaimFailed) else 'BROKEN OFF, not shown'}: {end}"
        )
        return NOT_HELD
    narrator.verdict(made, f"All {len(made)} claims held. EDB's and Veeam's parts in it were stand-ins.")
    return 0


def remembered_interrupt() -> threading.Event:
    """Set by Ctrl-C. It raises KeyboardInterrupt as ever, but clean-up that fails replaces that exception."""
    interrupted = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    return interrupted


def perform(narrator: Narrator, made: list[Claim]) -> None:
    """Open a lab and tell all acts in it."""
    narrator.busy("starting the lab")
    with Lab.open() as lab:
        tell(Scene(lab, narrator, made))


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
