"""Whether a restored database holds what the checks say: asked as a client of it asks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kanfunc.domain.checks import Check, Checks, LoginCheck
from kanfunc.domain.content import inquiry
from kanfunc.domain.errors import ClientFailed, Refused
from kanfunc.domain.finding import Finding
from kanfunc.domain.hazards import addresses
from kanfunc.domain.inquiry import Inquiry, Session, finding, not_checked
from kanfunc.domain.survey import numbers_of
from kanfunc.domain.timeline import PrimaryFacts
from kanfunc.domain.world import ClusterRef
from kanfunc.ports import Ask, Clock, DatabaseClient, InstanceShell, Journal

_NOT_MADE = {
    "57014": "it took too long: raise its timeout",
    "55P03": "what it needs is locked by somebody else",
    "42501": "the role may not do this: grant it, or let another role ask",
}
"""SQLSTATE of failures that say nothing of the data; also classes 08 and 57P, a connection that was lost."""


@dataclass(frozen=True)
class ContentPlan:
    """The checks, whoever asks them, and where; host: None is the cluster's Service for writing."""

    checks: Checks
    digest: str
    client: DatabaseClient
    host: str | None = None


def content_of(
    ref: ClusterRef,
    plan: ContentPlan,
    journal: Journal,
    clock: Clock,
    *,
    facts: PrimaryFacts,
    fenced: datetime | None,
    tolerance: timedelta,
) -> list[Finding]:
    """Make every check, one after another.

    facts: of the restored primary, which must be who answers. fenced: when the fence was placed.
    Raises Refused where a check logs in as a superuser.
    """
    made = []
    for check in plan.checks.checks:
        session = _session(check, ref, facts, plan)
        start = clock.monotonic()
        made.append(_made(check, session, fenced, plan.client, tolerance))
        took = round(clock.monotonic() - start, 3)
        journal.step("asked", cluster=str(ref), check=check.name, seconds=took)
    return made


def require_plain_users(ref: ClusterRef, primary: str, plan: ContentPlan, shell: InstanceShell) -> None:
    """Raises Refused where a check would log in with rights over the whole server: what the owners of tables
    have attached to them would run with these.
    """
    if found := shell.superusers(ref, primary, _users(plan)):
        raise Refused(
            f"checks log in to {ref} as {', '.join(found)}: a superuser, or a user that can become one",
            expected="a user with the least rights that the checks need",
            left="the restored cluster; no check was made",
            remedy="let another user make them: docs/checks.md says which rights it needs",
        )


def _users(plan: ContentPlan) -> list[str]:
    return sorted({plan.checks.user(check) for check in plan.checks.checks})


def address_warnings(ref: ClusterRef, plan: ContentPlan) -> list[Finding]:
    """Where the Secrets of the checks' users, as far as they are mounted, still lead to the source."""
    return [warning for user in _users(plan) for warning in addresses(user, plan.client.addresses(user), ref)]


def _session(check: Check, ref: ClusterRef, facts: PrimaryFacts, plan: ContentPlan) -> Session:
    return Session(
        host=plan.host or f"{ref.name}-rw.{ref.namespace}.svc",
        database=plan.checks.database(check),
        user=plan.checks.user(check),
        role=plan.checks.role(check),
        method=check.method if isinstance(check, LoginCheck) else None,
        server=facts.started,
        version=numbers_of(facts.version)[0],
        seconds=plan.checks.seconds(check),
    )


def _made(
    check: Check, session: Session, fenced: datetime | None, client: DatabaseClient, tolerance: timedelta
) -> Finding:
    try:
        if isinstance(check, LoginCheck):
            return _login(check, session, client.log_in(session))
        with client.conversation(session) as ask:
            return _held(inquiry(check, fenced, tolerance), ask)
    except ClientFailed as failure:
        return _failed(check, session, failure)


def _held(inquiry: Inquiry, ask: Ask) -> Finding:
    """Put each question that comes up, to the end."""
    try:
        question = next(inquiry)
        while True:
            question = inquiry.send(ask(question))
    except StopIteration as end:
        found: Finding = end.value
        return found


def _login(check: LoginCheck, session: Session, tls: str) -> Finding:
    found = f"{session.user} by {check.method} at {session.host}, {tls}: a temporary table written and read"
    return finding(check, found, "a login, a temporary table written and read", good=True, bad="")


def _failed(check: Check, session: Session, failure: ClientFailed) -> Finding:
    if failure.stranger:
        return finding(
            check, failure.found, "the restored primary", good=False,
            bad=f"{session.host} leads to another server, maybe to the source: clients would go there, too",
        )  # fmt: skip
    state = failure.sqlstate
    if reason := _NOT_MADE.get(state):
        return not_checked(check, failure.found, reason)
    if state[:2] == "08" or state[:3] == "57P":
        return not_checked(check, failure.found, "the connection was lost: run again")
    if state:
        bad = "the statement does not work in this database"
        return finding(check, failure.found, "an answer", good=False, bad=bad)
    if isinstance(check, LoginCheck):
        return finding(check, failure.found, "a login", good=False, bad=_no_login(failure.found))
    return not_checked(check, failure.found, f"{session.user} could not log in to {session.database}")


def _no_login(text: str) -> str:
    if "certificate verify failed" in text:
        return "ca.crt is not the authority of the server's certificate, or one of the two has expired"
    return "no application can log in like this: see Secrets, pg_hba and certificates of the restored cluster"
