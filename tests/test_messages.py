"""Each message says what to do next, and in words that the command line knows."""

import re
from typing import Any

import pytest
from typer.main import get_command

from kanfunc.cli import app
from kanfunc.domain.errors import Terminated, WaitTimeout
from tests.messages import KINDS, Message, messages

ALL = list(messages())
INTERNAL = {"WatchBroken", "Conflict", "ClientFailed"}
"""Always caught: an answer of the client path becomes a finding, with its own remedy."""
IDS = pytest.mark.parametrize("message", ALL, ids=lambda message: message.place)


def test_the_list_is_whole() -> None:
    assert len(ALL) > 60
    assert {each.kind for each in ALL} >= {
        "Refused",
        "Unproven",
        "WaitTimeout",
        "ExecFailed",
        "StillStanding",
    }


@IDS
def test_message_says_what_was_found_and_what_to_do_next(message: Message) -> None:
    assert message.found
    assert message.kind in INTERNAL or message.parts.get("remedy")


@IDS
def test_bad_answer_says_what_would_be_right(message: Message) -> None:
    needs = KINDS[message.kind].exit_code in {2, 3, 4} or issubclass(KINDS[message.kind], WaitTimeout)
    assert not needs or message.parts.get("expected") or message.kind == "ExecForbidden"


@IDS
def test_commands_in_messages_are_those_of_the_product(message: Message) -> None:
    commands: Any = get_command(app)
    for verb, rest in re.findall(r"kanfunc ([a-z][a-z-]+)([^;,:`]*)", message.parts.get("remedy", "")):
        options = {name for each in commands.commands[verb].params for name in each.opts}
        assert set(re.findall(r"(?<!\S)--?[a-z-]+", rest)) <= options


def test_terminated_is_one_of_them() -> None:
    assert Terminated.__name__ in KINDS
