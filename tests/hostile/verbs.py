"""What must hold of every verb on a hostile database, whatever the version of PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hostile.conftest import binaries_of
from tests.hostile.outcomes import Run
from tests.hostile.parsetree import Known, foreign
from tests.hostile.story import Story
from tests.lab.lab import Lab
from tests.lab.workspace import Workspace

SECONDS = 600
_SHOWN, _MOST = 1500, 0.8


@dataclass(frozen=True)
class Told:
    """Both runs, and what is known of each afterwards. refused: what could not be planted."""

    clean: Run
    hostile: Run
    known: tuple[dict[str, Known], dict[str, Known]]
    refused: dict[str, list[str]]

    @property
    def reached(self) -> float:
        """How far the hostile run came: sessions that could not begin have called nothing, too."""
        return len(self.hostile.trees) / len(self.clean.trees)


def told_of(major: int | None, folder: Path) -> Iterator[Told]:
    """Both runs, on one cluster, for all assertions. major: None for the machine's own."""
    if major:
        with Workspace.open() as workspace:
            binaries_of(workspace, major)
    with Lab.open(major) as lab:
        story = Story(lab, folder)
        clean = story.run()
        known = story.known()
        refused = story.plant(clean.trees)
        story.bend()
        hostile = story.run()
        yield Told(clean, hostile, (known, story.known()), refused)


class Verbs:
    """For what the fixture `told` has done."""

    def test_the_clean_run_shows_every_verb_at_work(self, told: Told) -> None:
        codes = {name: outcome.code for name, outcome in told.clean.outcomes.items()}
        bad = {"structure": 2, "content": 2}  # without amcheck, and what is asked for and not there
        assert codes == dict.fromkeys(codes, 0) | bad
        assert len(told.clean.trees) > 50
        databases = {tree.message.database for tree in told.clean.trees}
        assert databases == {"app", "made", "postgres", "template1"}

    def test_everything_was_planted(self, told: Told) -> None:
        """A trap that could not be laid is no proof; of C's strings none can, by nobody."""
        refused = {why for each in told.refused.values() for why in each}
        assert {why for why in refused if "pg_catalog.cstring" not in why} == set()

    def test_statements_name_nothing_of_users(self, told: Told) -> None:
        assert foreign(told.clean.trees, told.known[0]) == set()

    def test_statements_on_the_hostile_database_name_nothing_of_users(self, told: Told) -> None:
        assert foreign(told.hostile.trees, told.known[1]) == set()
        assert told.reached > _MOST

    def test_nothing_planted_was_called(self, told: Told) -> None:
        assert told.hostile.traps() == set()
        assert told.reached > _MOST

    def test_nobodys_rights_changed(self, told: Told) -> None:
        before = told.clean.rights["content"]
        changed = {
            (verb, each[0])
            for verb, found in told.hostile.rights.items()
            for each in found
            if each not in before
        }
        assert changed == set()

    @pytest.mark.parametrize(
        "verb",
        ["elect", "doctor", "fence", "status", "unfence", "watchdog", "backup", "identity", "structure",
         "install", "content"],
    )  # fmt: skip
    def test_verdicts_are_those_of_the_clean_database(self, told: Told, verb: str) -> None:
        clean, hostile = told.clean.outcomes[verb], told.hostile.outcomes[verb]
        lost = [each for each in clean.said if each not in hostile.said]
        new = [each for each in hostile.said if each not in clean.said]
        assert (hostile.code, lost, new) == (clean.code, [], []), hostile.output[-_SHOWN:]
