"""Each pin of our sessions, taken out: what it keeps from being bent is bent then, and only then."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.hostile.bench import Bench
from tests.hostile.settings import Bend
from tests.lab.workspace import LabError

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Red:
    """A hostile value, for whom it is set, and the answer that it changes where nothing is pinned."""

    value: str
    answer: str
    who: str = "role postgres"


RED: dict[str, Red] = {}
NAMED: dict[str, str] = {}
"""Pins that change no answer of today, and why they are there all the same."""


def pins() -> tuple[Any, ...]:
    try:
        found: tuple[Any, ...] = importlib.import_module("kanfunc.gateways.sessions").PINS
    except ModuleNotFoundError:
        return ()
    return found


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench.open(15) as opened:
        yield opened


@pytest.fixture(scope="module")
def clean(bench: Bench) -> dict[str, str]:
    return dict(bench.answers())


def test_every_pin_is_red_without_it_or_is_named() -> None:
    assert pins(), "there is no table of pins"
    assert {pin.setting for pin in pins()} == RED.keys() | NAMED.keys()
    assert not RED.keys() & NAMED.keys()


def without(command: tuple[str, ...], setting: str) -> tuple[str, ...]:
    """A script's command without that pin: one `-c name=value` of its text."""
    return tuple(_unpinned(word, setting) for word in command)


def _unpinned(word: str, setting: str) -> str:
    before, found, after = word.partition(f"-c {setting}=")
    return before + after.lstrip("'\"").partition(" ")[2] if found else word


@pytest.mark.parametrize("setting", RED)
def test_what_a_pin_is_for(bench: Bench, clean: dict[str, str], setting: str) -> None:
    red = RED[setting]
    try:
        assert not bench.bend(Bend(setting, red.value, ""), red.who)
        assert bench.answer(red.answer) == clean[red.answer], "with the pin"
        bench.edit = lambda command: without(command, setting)
        assert bench.answer(red.answer) != clean[red.answer], "without it"
    except LabError as error:
        pytest.fail(str(error))
    finally:
        bench.edit = lambda command: command
        bench.straighten()
