"""The shell scripts that run inside the pods. Constants: data reaches them as positional arguments only.

They need POSIX sh, coreutils and PostgreSQL's own programs, all of which the operand images have.

The digest of pg_control goes with the time of its last write: the times in it are whole seconds, so that a
start and a stop within one second leave the same bytes.

An instance runs while its postmaster.pid is there, or while any PostgreSQL process works in PGDATA: backends
outlive a postmaster that was killed.
"""

from kanfunc.gateways.shell import BASICS, QUERYING, script

_FILES = script(
    BASICS,
    """
running() {
  [ ! -e "$PGDATA/postmaster.pid" ] || return 0
  for process in /proc/[0-9]*; do
    [ "$process/cwd" -ef "$PGDATA" ] || continue
    read -r command 2>/dev/null < "$process/comm" || continue
    case "$command" in *postgres*) return 0;; esac
  done
  return 1
}
digest() {
  hash=$(sha256sum "$PGDATA/global/pg_control") written=$(stat -c %y "$PGDATA/global/pg_control")
  printf '%s %s\\n' "${hash%% *}" "$written"
}
""",
)

REPLICATION = script(
    QUERYING,
    """
sql <<'SQL'
select json_build_object(
  'in_recovery', pg_is_in_recovery(),
  'flushed', case when not pg_is_in_recovery() then pg_current_wal_flush_lsn()::text end,
  'system_identifier', (select system_identifier::text from pg_control_system()),
  'standbys', coalesce((select json_agg(json_build_object(
      'name', application_name, 'state', coalesce(state, ''), 'sync_state', coalesce(sync_state, ''),
      'replay_lsn', replay_lsn::text)) from pg_stat_replication), '[]'::json));
SQL
""",
)

# One transaction of our own: its flush carries every earlier commit to disk, and it waits for no standby.
EMIT_BOUND = script(
    QUERYING,
    """
pin default_transaction_read_only=off statement_timeout=10s
sql -v id="$1" <<'SQL'
begin;
select pg_current_xact_id();
select pg_logical_emit_message(true, 'kanfunc', :'id');
commit;
select pg_current_wal_flush_lsn();
SQL
""",
)

# Prints whether $1 was replayed within $2 seconds, the position, and the age of the newest known commit.
AWAIT_REPLAY = script(
    QUERYING,
    """
end=$(( $(date +%s) + $2 ))
while :; do
  state=$(sql -v bound="$1" <<'SQL'
select pg_last_wal_replay_lsn() >= :'bound'::pg_lsn, pg_last_wal_replay_lsn(),
  coalesce(extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()), 0);
SQL
)
  case "$state" in t*) break;; esac
  [ "$(date +%s)" -lt "$end" ] || break
  sleep 0.1
done
printf '%s\\n' "$state"
""",
)

# Blocks until no postmaster runs; the caller's time limit ends it. Then what the files say. pg_waldump is
# given the files by name: else it learns the segment size from any file, and fails where that is still empty.
# The last record is asked for by itself: anybody may write text into the log, with lines like records.
AWAIT_STOPPED = script(
    _FILES,
    """
while running; do sleep 0.1; done
section control
control=$(pg_controldata -D "$PGDATA")
printf '%s\\n' "$control"
value() { printf '%s\\n' "$control" | sed -n "s/^$1: *//p"; }
from=$(value 'Minimum recovery ending location') timeline=$(value "Min recovery ending loc's timeline")
if [ "$(value 'Database cluster state')" = 'shut down' ]; then
  from=$(value 'Latest checkpoint location') timeline=$(value "Latest checkpoint's TimeLineID")
fi
size=$(value 'Bytes per WAL segment')
cd "$PGDATA/pg_wal"
segment() { printf '%08X%08X%08X' "$timeline" "0x${1%/*}" "$(( 0x${1#*/} / size ))"; }
first=$(segment "$from")
newest=$(ls | grep -E "^$(printf '%08X' "$timeline")[0-9A-F]{16}$" | sort | tail -n 1 || true)
state=absent last=
wal() { pg_waldump -p . -t "$timeline" -s "$@" "$newest" 2>/dev/null || true; }
section complaint
if [ -e "$first" ]; then
  state=empty
  if [ "$(head -c 2 "$first" | od -An -tx1 | tr -d ' ')" != 0000 ]; then
    state=begun
    said=$(pg_waldump -p . -t "$timeline" -s "$from" "$first" "$newest" 2>&1 >/dev/null || true)
    printf '%s\\n' "$said"
    at=$(printf '%s\\n' "$said" | sed -n 's/^pg_waldump: .*error in WAL record at \\([0-9A-F/]*\\):.*/\\1/p')
    if [ -n "$at" ]; then last=$(wal "$at" -n 1 "$(segment "$at")" | head -n 1)
    else last=$(wal "$from" "$first" | tail -n 1); fi
  fi
fi
section record
printf '%s\\n' "$last"
section segment
echo "$state"
section newest
printf '%s\\n' "$newest"
section version
pg_controldata -V
section digest
digest
""",
)

# $1: mark file, $2: verdict file, then the volume roots. These files may be of any size and kind, and hold
# headings of ours.
INSPECT = script(
    _FILES,
    """
mark=$1 verdict=$2; shift 2
show() {
  if [ -f "$1" ] && [ ! -L "$1" ]; then head -c 65536 "$1" | sed 's/^--kanfunc:/ &/'; fi
}
section digest
digest
for root in "$@"; do
  section "mark:$root"
  show "$root/$mark"
  section "verdict:$root"
  show "$root/$verdict"
done
section running
if running; then echo yes; else echo no; fi
""",
)

# $1: file name, $2: a piece of its text, $3: yes for the first one, $4: yes for the last one, then the volume
# roots. Written beside and renamed, so that a file is whole or not there; then everything on that volume,
# PostgreSQL's files included, is forced to disk.
INSCRIBE = script(
    BASICS,
    """
name=$1 piece=$2 first=$3 last=$4; shift 4
umask 077
for root in "$@"; do
  new="$root/.$name.new"
  [ "$first" != yes ] || : > "$new"
  printf '%s' "$piece" >> "$new"
  [ "$last" = yes ] || continue
  sync "$new"
  mv "$new" "$root/$name"
  sync "$root"
  sync -f "$root"
done
""",
)

# $1: mark file, $2: fence id, then the volume roots.
ERASE_MARKS = script(
    BASICS,
    """
name=$1 id=$2; shift 2
for root in "$@"; do
  if [ -e "$root/$name" ] && grep -qF -- "\\"$id\\"" "$root/$name"; then rm -f "$root/$name"; sync "$root"; fi
done
""",
)

# $1: instance, $2: seconds, $3: yes when it must have replayed what the primary has now.
AWAIT_STREAMING = script(
    QUERYING,
    """
end=$(( $(date +%s) + $2 ))
goal=0/0; [ "$3" != yes ] || goal=$(sql -c 'select pg_current_wal_flush_lsn()')
while :; do
  found=$(sql -v name="$1" -v goal="$goal" <<'SQL'
select count(*) from pg_stat_replication
 where application_name = :'name' and state = 'streaming' and replay_lsn >= :'goal'::pg_lsn;
SQL
)
  [ "$found" = 0 ] || { echo yes; exit 0; }
  [ "$(date +%s)" -lt "$end" ] || { echo no; exit 0; }
  sleep 0.2
done
""",
)

# $1: seconds.
AWAIT_WRITABLE = script(
    QUERYING,
    """
end=$(( $(date +%s) + $1 ))
while :; do
  [ "$(sql -c 'select pg_is_in_recovery()' 2>/dev/null || true)" != f ] || { echo yes; exit 0; }
  [ "$(date +%s)" -lt "$end" ] || { echo no; exit 0; }
  sleep 0.2
done
""",
)
