from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from kanfunc.domain.errors import ApiFailed, Conflict, NotFound, WaitTimeout, WatchBroken
from kanfunc.domain.record import Changes
from kanfunc.domain.world import Cluster, ClusterRef
from kanfunc.operations.waiting import edit, wait_until
from kanfunc.ports import ClusterApi
from tests.builders import REF, cluster


class Time:
    """A clock that stands still unless somebody sleeps, or time is let pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


Step = str | float | Exception
"""A state is seen, so many seconds pass, or the watch fails."""


class Watches:
    """What each watch after the other shows; the last one is repeated. Its limit ends every watch."""

    def __init__(self, time: Time, *watches: Sequence[Step]) -> None:
        self.limits: list[float] = []
        self._time = time
        self._watches = watches

    def __call__(self, seconds: float) -> Iterator[str]:
        steps = self._watches[min(len(self.limits), len(self._watches) - 1)]
        self.limits.append(seconds)
        end = self._time.now + seconds
        for step in steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                self._time.now = min(end, self._time.now + step)
            elif self._time.now < end:
                yield step


def wait(time: Time, watch: Callable[[float], Iterator[str]], seconds: float = 10) -> str:
    return wait_until(
        watch,
        lambda state: state == "good",
        clock=time,
        seconds=seconds,
        what="the good",
        describe=lambda state: f"state {state}",
        remedy="do good",
    )


def test_first_good_state_is_returned_at_once() -> None:
    time = Time()
    assert wait(time, Watches(time, ["bad", "good", "bad"])) == "good"
    assert time.now == 100


def test_watch_that_ends_is_opened_again_with_the_time_that_is_left() -> None:
    time = Time()
    watch = Watches(time, ["bad", 4.0], ["bad", "good"])
    assert wait(time, watch) == "good"
    assert watch.limits == [10, pytest.approx(5.5)]


def test_watch_that_is_cut_is_opened_again_after_a_pause() -> None:
    time = Time()
    watch = Watches(time, ["bad", WatchBroken("reset")], [WatchBroken("reset")], ["good"])
    assert wait(time, watch) == "good"
    assert time.now == pytest.approx(101)
    assert len(watch.limits) == 3


def test_timeout_says_what_was_last_seen() -> None:
    time = Time()
    with pytest.raises(WaitTimeout, match="after 10 s: state worse") as late:
        wait(time, Watches(time, ["bad", 1.0, "worse", 60.0]))
    assert (late.value.expected, late.value.remedy) == ("the good", "do good")
    assert time.now == pytest.approx(110)


def test_timeout_says_that_the_watch_was_cut() -> None:
    time = Time()
    with pytest.raises(WaitTimeout, match=r"state bad \(since then the watch was cut: reset\)"):
        wait(time, Watches(time, ["bad", 9.9, WatchBroken("reset")]))


def test_text_of_a_timeout_does_not_grow_with_every_cut() -> None:
    time = Time()
    with pytest.raises(WaitTimeout) as late:
        wait(time, Watches(time, [WatchBroken("reset")]), seconds=300)
    assert len(late.value.found) < 300


def test_pauses_do_not_go_beyond_the_end() -> None:
    time = Time()
    with pytest.raises(WaitTimeout, match="nothing was seen"):
        wait(time, Watches(time, []), seconds=1.25)
    assert time.now == pytest.approx(101.25)


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_at_all_is_a_timeout(seconds: float) -> None:
    time = Time()
    watch = Watches(time, ["good"])
    with pytest.raises(WaitTimeout):
        wait(time, watch, seconds)
    assert watch.limits == []


@pytest.mark.parametrize("failure", [NotFound("gone"), ApiFailed("403")])
def test_other_failures_end_the_wait(failure: Exception) -> None:
    time = Time()
    with pytest.raises(type(failure)):
        wait(time, Watches(time, ["bad", failure], ["good"]))


# ---- edit


class Annotations:
    """The annotations of one Cluster; `meddling` are written by somebody else under our next attempts."""

    def __init__(self, *meddling: dict[str, str]) -> None:
        self.values: dict[str, str] = {"colour": "red"}
        self.reads = 0
        self.guarded: bool | None = None
        self._meddling = list(meddling)

    def cluster(self, ref: ClusterRef) -> Cluster:
        assert ref == REF
        self.reads += 1
        return replace(cluster(), annotations=dict(self.values))

    def annotate(self, read: Cluster, changes: Changes, *, exact: bool) -> Cluster:
        self.guarded = exact
        if self._meddling:
            self.values |= self._meddling.pop(0)
        if read.annotations != self.values:
            raise Conflict("changed")
        for key, value in changes.items():
            self.values.pop(key, None)
            if value is not None:
                self.values[key] = value
        return replace(cluster(), annotations=dict(self.values))

    @property
    def api(self) -> ClusterApi:
        return cast("ClusterApi", self)


def mixed(read: Cluster) -> Changes:
    return {"mixed": f"{read.annotations['colour']} and blue"}


def test_decision_is_written() -> None:
    there = Annotations()
    assert edit(there.api, REF, mixed).annotations == there.values
    assert there.values == {"colour": "red", "mixed": "red and blue"}


@pytest.mark.parametrize("exact", [True, False])
def test_every_change_is_a_conflict_where_that_is_asked_for(exact: bool) -> None:  # noqa: FBT001
    there = Annotations()
    edit(there.api, REF, mixed, exact=exact)
    assert there.guarded is exact


def test_conflict_repeats_the_whole_decision() -> None:
    there = Annotations({"colour": "green"}, {"colour": "white"})
    edit(there.api, REF, mixed)
    assert there.values["mixed"] == "white and blue"
    assert there.reads == 3


def test_what_was_read_before_serves_the_first_attempt_alone() -> None:
    there = Annotations({"colour": "green"})
    read = there.api.cluster(REF)
    assert edit(there.api, REF, mixed, read=read).annotations["mixed"] == "green and blue"
    assert there.reads == 2


def test_decision_may_change_its_mind_on_a_conflict() -> None:
    there = Annotations({"colour": "green"})
    edit(there.api, REF, lambda read: mixed(read) if read.annotations["colour"] == "red" else {})
    assert there.values == {"colour": "green"}


def test_nothing_to_change_writes_nothing() -> None:
    there = Annotations({"colour": "green"})
    edit(there.api, REF, lambda _: {})
    assert there.values == {"colour": "red"}


def test_gives_up_on_a_cluster_that_never_holds_still() -> None:
    there = Annotations(*({"turn": str(turn)} for turn in range(1000)))
    with pytest.raises(ApiFailed, match="changed under each of") as failed:
        edit(there.api, REF, mixed)
    assert not isinstance(failed.value, Conflict)
    assert "which controller" in failed.value.remedy
    assert "mixed" not in there.values


@pytest.mark.parametrize("failure", [ApiFailed("403"), NotFound("gone"), ValueError("ours")])
def test_other_failures_are_not_repeated(failure: Exception) -> None:
    there = Annotations()

    def decide(_: Cluster) -> Any:
        raise failure

    with pytest.raises(type(failure)):
        edit(there.api, REF, decide)
    assert there.reads == 1
