"""The script that looks for what acts by itself in a restored database. A constant; data are arguments of it.

It reads catalogs alone: what a user has made, a table of jobs included, is known by its name and not read.
Where a subscription leads to is not asked: passwords stand there.
"""

from kanfunc.domain.activity import REPLICATING, SCHEDULING
from kanfunc.gateways.shell import DATABASES, QUERYING, script

OWN = (
    "archiver", "autovacuum launcher", "autovacuum worker", "background writer", "checkpointer",
    "client backend", "dead-end client backend", "io worker", "logger", "parallel worker", "slotsync worker",
    "standalone backend", "startup", "walreceiver", "walsender", "walsummarizer", "walwriter",
    "autoprewarm leader", "autoprewarm worker", "pg_failover_slots worker", "pg_wait_sampling collector",
)  # fmt: skip
"""Kinds of processes of PostgreSQL itself, and of modules that do nothing to others' data."""


def arguments(seconds: int) -> tuple[str, ...]:
    """Of ACTIVITY. seconds: for all databases."""
    return (f"{seconds}", ",".join(OWN), ",".join(sorted([*REPLICATING, *SCHEDULING])))


# $1: seconds for all databases, of which none gets more than ten; what is left is told by name. $2: kinds of
# processes that are not told, $3: extensions that are. One line of JSON for the server, one for each of the
# first ten databases in which something acts (more where it is something new) or which could not be looked
# at; then how many there are.
ACTIVITY = script(
    QUERYING,
    DATABASES,
    """
end=$(( $(date +%s) + $1 )) extensions=$3
section server
sql -v own="$2" <<'SQL'
with subscribed as (
  select row_number() over (order by not subenabled, datname, subname) as place,
         subenabled as enabled, json_build_object(
           'name', subname, 'database', datname, 'enabled', subenabled, 'working', exists (
             select from pg_stat_subscription as s where s.subid = p.oid and s.pid is not null)) as told
    from pg_subscription as p join pg_database as d on d.oid = subdbid),
closed as (
  select row_number() over (order by datname) as place, datname from pg_database
   where not datallowconn and datname <> 'template0'),
strangers as (
  select distinct left(backend_type, 60) as kind from pg_stat_activity
   where backend_type not like 'logical replication %'
     and backend_type <> all (string_to_array(:'own', ','))
   order by kind limit 10)
select json_build_object(
  'workers', current_setting('max_logical_replication_workers')::int,
  'libraries', left(current_setting('shared_preload_libraries'), 1000),
  'strangers', (select coalesce(json_agg(kind), '[]') from strangers),
  'subscriptions', (select json_build_object(
    'count', count(*), 'enabled', count(*) filter (where enabled),
    'first', coalesce(json_agg(told order by place) filter (where place <= 10), '[]')) from subscribed),
  'closed', (select json_build_object(
    'count', count(*),
    'first', coalesce(json_agg(datname order by place) filter (where place <= 10), '[]')) from closed));
SQL
section databases
look() {
  PGDATABASE=$1 timeout -k 1 10 \\
    psql -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=terse -v known="$extensions" -U postgres 2>&1 <<'SQL'
select 'found:' || coalesce(string_agg(name, ' ' order by name) || '|' || json_build_object(
  'database', current_database(), 'extensions', json_agg(name order by name)), '')
  from (
    select extname::text from pg_extension where extname::text = any (string_to_array(:'known', ','))
    union
    select known from (values ('pg_timetable', 'timetable', 'chain'), ('pgagent', 'pgagent', 'pga_job'))
        as by_name (known, within, called)
      join pg_namespace on nspname = within
      join pg_class on relnamespace = pg_namespace.oid and relname = called and relkind in ('r', 'p')
  ) as found (name);
SQL
}
unseen=0
miss() {
  unseen=$(( unseen + 1 ))
  [ "$unseen" -gt 10 ] || sql -v name="$1" -v reason="$2" <<'SQL'
select json_build_object('database', :'name', 'reason', left(:'reason', 200));
SQL
}
acting=0 known=' '
tell() {
  acting=$(( acting + 1 )) new=
  for extension in ${1%%|*}; do
    case "$known" in *" $extension "*) ;; *) known="$known$extension " new=yes;; esac
  done
  [ "$acting" -gt 10 ] && [ -z "$new" ] || printf '%s\\n' "${1#*|}"
}
databases=$(databases)
set -- $databases
while [ $# -gt 0 ] && [ "$(date +%s)" -lt "$end" ]; do
  called "$1"
  if [ -z "$name" ]; then shift; continue; fi  # dropped meanwhile
  if answer=$(look "$name"); then
    answer=$(printf '%s\\n' "$answer" | tail -n 1)  # the server's warnings come before
    [ "$answer" = found: ] || tell "${answer#found:}"
  else
    miss "$name" "${answer:-no answer within 10 s}"
  fi
  shift
done
while [ $# -gt 0 ] && [ "$unseen" -lt 10 ]; do called "$1"; miss "$name" 'no time was left'; shift; done
section counts
printf '{"acting": %s, "unseen": %s}\\n' "$acting" "$(( unseen + $# ))"
""",
)
