"""How a script runs in a pod, and how every one begins.

Output comes in sections, each headed by a line that starts with SECTION.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote_plus

from kanfunc.domain.hooks import Argv
from kanfunc.gateways import sessions

SECTION = "--kanfunc:"

BASICS = """
set -eu
export LC_ALL=C TZ=UTC
section() { printf '\\n--kanfunc:%s\\n' "$1"; }
"""

QUERYING = f"""{BASICS}{sessions.in_pods()}
unset PGSERVICE PGSERVICEFILE PGSYSCONFDIR PGTARGETSESSIONATTRS PGDATESTYLE PGTZ PGCLIENTENCODING PG_COLOR
export PGCONNECT_TIMEOUT=5 PGAPPNAME=kanfunc
sql() {{ psql -XAtq -v ON_ERROR_STOP=1 -U postgres -d postgres "$@"; }}
"""
"""For scripts that ask the database: `sql` reads statements, and its sessions are pinned."""

DATABASES = """
databases() {
sql <<'SQL'
select case when datname ~ '^[a-z_][a-z0-9_]*$' then datname else oid::text end
from pg_database where datallowconn order by datname;
SQL
}
called() {
name=$1
case "$1" in [!0-9]*) return;; esac
name=$(
sql -v oid="$1" <<'SQL'
select datname from pg_database where oid = :oid;
SQL
echo .)
name=${name%.}
name=${name%?}
}
"""
"""For scripts that visit every database. `databases` lists each as one word: by its oid, where the shell
might not take its name for one. `called` sets `name`: empty for one that is gone, else whole, with its last
newline. It reaches psql by PGDATABASE: an argument `a=b` would be read as a connection string.
"""


def script(*parts: str) -> str:
    """A script of these parts, without its indentation: it travels in a URL, whose length proxies limit."""
    return re.sub(r"\n +", "\n", "".join(parts))


ROOM = 2_500
"""Bytes in a URL that the arguments of one call may take, so that the whole stays below LONGEST_URL."""
LONGEST_URL = 7_500
"""Bytes of a request's path and query. Proxies before API servers often stop at 8 kB."""


def portions(words: Iterable[str], room: int = ROOM) -> Iterator[tuple[str, ...]]:
    """The words in their order, as many at a time as one call has room for, but at least one.

    >>> list(portions(["/a", "/b", "/long"], room=9))
    [('/a', '/b'), ('/long',)]
    """
    taken: list[str] = []
    size = 0
    for word in words:
        length = len(quote_plus(word))
        if taken and size + length > room:
            yield tuple(taken)
            taken, size = [], 0
        taken.append(word)
        size += length
    if taken:
        yield tuple(taken)


def argv(script: str, *arguments: str) -> Argv:
    """The command that runs a script: data reaches it as arguments, never as text of it."""
    return ("sh", "-c", script, "kanfunc", *arguments)
