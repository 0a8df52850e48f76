"""How every script in a pod begins that asks the database.

Output comes in sections, each headed by a line that starts with SECTION.
"""

SECTION = "--kanfunc:"

QUERYING = """
set -eu
export LC_ALL=C TZ=UTC PGCONNECT_TIMEOUT=5 PGAPPNAME=kanfunc
section() { printf '\\n--kanfunc:%s\\n' "$1"; }
sql() { psql -XAtq -v ON_ERROR_STOP=1 -U postgres -d postgres "$@"; }
"""
