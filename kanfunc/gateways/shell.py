"""How a script runs in a pod, and how every one begins that asks the database.

Output comes in sections, each headed by a line that starts with SECTION.
"""

from kanfunc.domain.hooks import Argv

SECTION = "--kanfunc:"

QUERYING = """
set -eu
export LC_ALL=C TZ=UTC PGCONNECT_TIMEOUT=5 PGAPPNAME=kanfunc
section() { printf '\\n--kanfunc:%s\\n' "$1"; }
sql() { psql -XAtq -v ON_ERROR_STOP=1 -U postgres -d postgres "$@"; }
"""


def argv(script: str, *arguments: str) -> Argv:
    """The command that runs a script: data reaches it as arguments, never as text of it."""
    return ("sh", "-c", script, "kanfunc", *arguments)
