"""What the run of a verb came to, without what differs from run to run."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.hostile.parsetree import Message, Parsed
from tests.lab.lab import Completed

RIGHTS = """
select rolname::text, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin,
       array(select roleid::regrole::text from pg_auth_members where member = r.oid order by 1)
  from pg_authid r order by rolname
"""


@dataclass
class Outcome:
    """What one run of a verb came to: exit code, and what it said, without what differs from run to run."""

    code: int
    said: list[tuple[str, ...]]
    output: str


@dataclass
class Run:
    """All verbs once."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    rights: dict[str, list[Any]] = field(default_factory=dict)
    trees: list[Parsed] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    def traps(self) -> set[tuple[str, str, str]]:
        """Sprung in sessions of ours: who had logged in, what, and as whom it ran.

        Not those that nobody could avoid: as the owner of a table, by amcheck; and, with the rights of a
        check's own user, what a table's owner has attached to it, and triggers of events: of that
        user's login, and of the temporary table that check `login` makes.
        """
        found = set()
        for each in self.messages:
            if each.ours and (trap := re.search(r"kanfunc-trap \[(.*)\] as (\S+)", each.text)):
                as_owner = trap[2] == "app/postgres" and trap[1].startswith("attached")
                as_reader = trap[2] == "app/app" and trap[1].startswith(("attached", "event "))
                if not as_owner and not as_reader:
                    found.add((each.application.partition("-")[0], trap[1], trap[2]))
        return found


_DIFFERS = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # ids of fences, UIDs
    r"|\b[0-9A-F]+/[0-9A-F]+\b"  # positions in WAL
    r"|[0-9a-f]{16,}|\d+"
)


def _masked(text: object) -> str:
    return _DIFFERS.sub("N", str(text))


def finding(each: dict[str, Any]) -> tuple[str, ...]:
    exact = re.sub("fenced at .*", "fenced", each["found"])  # values that a check finds are not masked
    found = exact if each["tier"] == "content" else _masked(exact)
    return (each["check"], each["tier"], each["status"], found)


def said_by(done: Completed) -> Outcome:
    steps = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    said = [(str(line.get("step") or line.get("found")),) for line in steps]
    return Outcome(done.returncode, [(_masked(each),) for (each,) in said], done.stdout + done.stderr)


def diagnoses(done: Completed) -> Outcome:
    found = json.loads(done.stdout)[0]["diagnoses"] if done.stdout else []
    said: list[tuple[str, ...]] = [(each["check"], each["grade"]) for each in found]
    return Outcome(done.returncode, said, done.stdout + done.stderr)
