"""The scripts that ask a restored cluster who it is. Constants: data reaches them as arguments."""

from kanfunc.gateways.shell import BASICS, QUERYING, script

# $1: xid. The timeline is read from the WAL that is written now: the control file learns of it later.
PRIMARY_FACTS = script(
    QUERYING,
    """
section facts
sql -v xid="$1" <<'SQL'
with now as (
  select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline)
select json_build_object(
  'system_identifier', (select system_identifier::text from pg_control_system()),
  'timeline', timeline,
  'version', current_setting('server_version'),
  'started', (pg_postmaster_start_time() at time zone 'UTC')::text,
  'xid_status', case when :'xid'::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) then 'in the future'
                     else pg_xact_status(:'xid'::xid8) end)
from now;
SQL
section history
file=$(sql -c "select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)").history
if [ -e "$PGDATA/pg_wal/$file" ]; then head -c 65536 "$PGDATA/pg_wal/$file" | sed 's/^--kanfunc:/ &/'; fi
""",
)

# $1: names of roles, as a JSON list. Those that are superusers, or can become one: as members of one, or by
# what they may do to the server's files and programs.
SUPERUSERS = script(
    QUERYING,
    """
sql -v names="$1" <<'SQL'
select coalesce(json_agg(rolname), '[]') from pg_roles r
 where rolname in (select json_array_elements_text(:'names'))
   and (rolsuper or rolcreaterole and current_setting('server_version_num')::int < 160000
        or exists (select from pg_roles s where pg_has_role(r.oid, s.oid, 'member')
          and (s.rolsuper or s.rolname in
            ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files'))));
SQL
""",
)

# $1: timeline, $2: shutdown checkpoint. What stands there, and the first commit after it; none where somebody
# prepares a transaction before: its name may look like records.
RESUMPTION = script(
    BASICS,
    """
wal() { pg_waldump -p "$PGDATA/pg_wal" -t "$@" 2>/dev/null || true; }
section checkpoint
wal "$1" -s "$2" -n 1
section commit
line=$(wal "$1" -s "$2" -r Transaction | grep -m 1 -E 'desc: (COMMIT|ABORT|PREPARE)' || true)
case "$line" in *'desc: PREPARE'*) ;; *) printf '%s\\n' "$line";; esac
""",
)

# $1: the new timeline, $2: where it begins. The end of recovery is its first record, unless a torn one had to
# be written over. No more is asked for than need be: pg_waldump waits 5 s for a segment that is not there.
PROMOTION = script(
    BASICS,
    """
section record
first() {
  pg_waldump -p "$PGDATA/pg_wal" -t "$1" -s "$2" -r XLOG -n "$3" 2>/dev/null | grep -F END_OF_RECOVERY
}
first "$1" "$2" 1 || first "$1" "$2" 3 || true
section history
file="$PGDATA/pg_wal/$(printf '%08X' "$1").history"
if [ -e "$file" ]; then stat -c %Y "$file"; fi
""",
)
