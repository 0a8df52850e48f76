"""How a script runs in a pod, and how every one begins.

Output comes in sections, each headed by a line that starts with SECTION.
"""

import re

from kanfunc.domain.hooks import Argv
from kanfunc.gateways import sessions

SECTION = "--kanfunc:"

BASICS = """
set -eu
export LC_ALL=C TZ=UTC
section() { printf '\\n--kanfunc:%s\\n' "$1"; }
"""

QUERYING = f"""{BASICS}{sessions.in_pods()}
export PGCONNECT_TIMEOUT=5 PGAPPNAME=kanfunc
sql() {{ psql -XAtq -v ON_ERROR_STOP=1 -U postgres -d postgres "$@"; }}
"""
"""For scripts that ask the database: `sql` reads statements, and its sessions are pinned."""


def script(*parts: str) -> str:
    """A script of these parts, without its indentation: it travels in a URL, whose length proxies limit."""
    return re.sub(r"\n +", "\n", "".join(parts))


def argv(script: str, *arguments: str) -> Argv:
    """The command that runs a script: data reaches it as arguments, never as text of it."""
    return ("sh", "-c", script, "kanfunc", *arguments)
