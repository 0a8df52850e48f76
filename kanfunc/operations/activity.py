"""What a restored cluster does by itself, and may take from its source: looked at at every depth."""

from kanfunc.domain.activity import judge_activity, not_looked_at
from kanfunc.domain.errors import ExecFailed, ExecForbidden
from kanfunc.domain.finding import Finding
from kanfunc.domain.world import ClusterRef
from kanfunc.ports import Ports


def activity_warnings(ref: ClusterRef, primary: str, ports: Ports) -> list[Finding]:
    """Warnings alone: a look that fails is one, too, and spoils no verdict. Raises ExecForbidden."""
    try:
        activity = ports.shell.activity(ref, primary)
    except ExecForbidden:
        raise
    except ExecFailed as failure:
        ports.journal.warn(
            "subscriptions and jobs not looked at", cluster=str(ref), primary=primary, reason=failure.found
        )
        return [not_looked_at(failure.found)]
    return judge_activity(activity)
