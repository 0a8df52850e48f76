"""What goes wrong in a round, and what the product must make of it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from signal import SIGKILL, SIGTERM, Signals
from subprocess import TimeoutExpired

from tests.lab.kasten import HookResult
from tests.lab.proxy import Proxy
from tests.scenarios.protected import ELECTED, OTHER, Protected

PIECES = 60
"""About so many pieces does the API server say in one call."""
FENCE_SECONDS, UNFENCE_SECONDS = 1.8, 1.6


class Must(StrEnum):
    """What becomes of the backup."""

    BE_PROVEN = "proven"
    FAIL = "not proven"
    TELL = "told as it is"


@dataclass
class Round:
    """One backup: who is backed up, the dice, and the hooks as this round's fault wants them."""

    cluster: Protected
    dice: random.Random

    def run(self, *words: str) -> HookResult:
        """The product, undisturbed."""
        done = self.cluster.kanfunc(*words)
        return HookResult(done.returncode, done.stdout + done.stderr)

    def killed(self, *words: str, seconds: float, number: Signals = SIGKILL) -> HookResult:
        """The product, ended somewhere on its way, unless it was faster."""
        with self.cluster.lab.start_kanfunc(*words, "--namespace", self.cluster.namespace) as process:
            try:
                out, log = process.communicate(timeout=self.dice.uniform(0.1, seconds))
            except TimeoutExpired:
                process.send_signal(number)
                out, log = process.communicate(timeout=60)
        return HookResult(process.returncode or 0, out + log)

    def cut(self, *words: str) -> HookResult:
        """The product behind a proxy that cuts one connection."""
        at = self.dice.randint(1, PIECES)
        port = int(self.cluster.lab.api.url.rpartition(":")[2])
        with Proxy(port, lambda number, _: number == at) as proxy:
            done = self.cluster.lab.kanfunc(*words, "--namespace", self.cluster.namespace, port=proxy.port)
        return HookResult(done.returncode, done.stdout + done.stderr)


SUCCESS = ("unfence", "--outcome", "success")


def fence(round_: Round) -> HookResult:
    return round_.run("fence")


def unfence(round_: Round) -> HookResult:
    return round_.run(*SUCCESS)


@dataclass(frozen=True)
class Fault:
    """`before` the hooks; the hooks themselves; `between` them, after the fence; `after` all."""

    must: Must
    before: Callable[[Protected], None] = lambda _: None
    fence: Callable[[Round], HookResult] = fence
    between: Callable[[Protected], None] = lambda _: None
    unfence: Callable[[Round], HookResult] = unfence
    after: Callable[[Protected], None] = lambda _: None


def _refence(*instances: str) -> Callable[[Protected], None]:
    return lambda cluster: cluster.set_fenced(*instances)


def _fence(*options: str) -> Callable[[Round], HookResult]:
    return lambda each: each.run("fence", *options)


def _set(**faults: object) -> Callable[[Protected], None]:
    return lambda cluster: vars(cluster.lab.faults).update(faults)


def _pause(cluster: Protected) -> None:
    cluster.lab.server(cluster.namespace, ELECTED).sql("select pg_wal_replay_pause()")


def _resume(cluster: Protected) -> None:
    cluster.lab.server(cluster.namespace, ELECTED).sql("select pg_wal_replay_resume()")


def _lift(cluster: Protected) -> None:
    cluster.set_fenced()
    cluster.await_running()


def _flicker(cluster: Protected) -> None:
    _lift(cluster)
    cluster.set_fenced(ELECTED)
    cluster.await_running(running=False)


def _twice(round_: Round) -> HookResult:
    """Killed, and run again, as Kanister does with a pod that it lost."""
    round_.killed(*SUCCESS, seconds=UNFENCE_SECONDS)
    return round_.run(*SUCCESS)


FAULTS: Mapping[str, Fault] = {
    "none": Fault(Must.BE_PROVEN),
    "operator's command fails": Fault(Must.FAIL, before=_set(hook_exit=7)),
    "operator's command hangs": Fault(
        Must.FAIL, before=_set(hook_hangs=True), fence=_fence("--hook-timeout", "1")
    ),
    "operator's command is late": Fault(
        Must.TELL, before=_set(hook_delay=2.0), fence=lambda each: each.cut("fence")
    ),
    "operator ignores the fence": Fault(
        Must.FAIL, before=_set(ignore_fence=True), fence=_fence("--stop-timeout", "1")
    ),
    "immediate shutdown": Fault(Must.FAIL, before=_set(stop_mode="immediate")),
    "replay paused": Fault(Must.FAIL, before=_pause, fence=_fence("--replay-timeout", "1"), after=_resume),
    "fenced by a person": Fault(Must.FAIL, before=_refence(OTHER), after=_refence()),
    "fence killed": Fault(Must.TELL, fence=lambda each: each.killed("fence", seconds=FENCE_SECONDS)),
    "fence terminated": Fault(
        Must.TELL, fence=lambda each: each.killed("fence", seconds=FENCE_SECONDS, number=SIGTERM)
    ),
    "fence cut": Fault(Must.TELL, fence=lambda each: each.cut("fence")),
    "fence lifted by a person": Fault(Must.FAIL, between=_lift),
    "fence lifted and placed again": Fault(Must.FAIL, between=_flicker),
    "unfence killed, and run again": Fault(Must.BE_PROVEN, unfence=_twice),
    "unfence cut": Fault(Must.TELL, unfence=lambda each: each.cut(*SUCCESS)),
}
HOT = "hooks not wired"
"""A round of its own: Kasten says Complete, and only verify-restore can tell."""
