"""The scripts that look at the structure of a restored database. Constants: data reaches them as arguments.

Names of tables become SQL only inside PostgreSQL, by format('%I').
"""

from kanfunc.gateways.shell import DATABASES, QUERYING, script

# $1: name of the run, by which its connections are ended when we are; $2: seconds for one statement.
SESSIONS = script(
    QUERYING,
    DATABASES,
    """
export PGAPPNAME="$1"
pin statement_timeout="${2}s"
within() {
  PGDATABASE=$1; export PGDATABASE; shift
  psql -XAtq -v VERBOSITY=terse -U postgres "$@"
}
""",
)

# What catalogs and file sizes say: one line of JSON for the cluster, then one for each database. Lists are
# cut after ten names.
SURVEY = script(
    SESSIONS,
    """
section cluster
amcheck=no; if command -v pg_amcheck >/dev/null; then amcheck=yes; fi
sql -v amcheck="$amcheck" <<'SQL'
select json_build_object(
  'version', current_setting('server_version'),
  'checksums', current_setting('data_checksums') = 'on',
  'program', :'amcheck' = 'yes',
  'closed', (select coalesce(json_agg(datname), '[]') from pg_database
              where not datallowconn and datname <> 'template0'),
  'tablespaces', (select count(*) from pg_tablespace where spcname !~ '^pg_'),
  'lost_tablespaces', (
    select coalesce(json_agg(spcname), '[]') from pg_tablespace t
     where spcname !~ '^pg_' and not exists (
       select from pg_ls_dir('pg_tblspc/' || t.oid, true, false) as entry where entry ~ '^PG_')));
SQL
section databases
look() {
  within "$1" -v ON_ERROR_STOP=1 2>&1 <<'SQL'
select current_setting('server_version_num')::int >= 150000 as versioned \\gset
\\if :versioned
select datcollversion is not null
       and datcollversion is distinct from pg_database_collation_actual_version(oid) as outdated
  from pg_database where datname = current_database() \\gset
\\else
\\set outdated false
\\endif
with stored as (
  select c.oid, format('%I.%I', nspname, relname) as name, relkind, relpages::bigint as pages, relallvisible,
         relam, pg_relation_size(c.oid) as bytes, pg_relation_filepath(c.oid) as path
    from pg_class c join pg_namespace n on n.oid = relnamespace
   where pg_relation_filenode(c.oid) is not null and relpersistence <> 't'),
listed(list, name) as (
  select 'short', name from stored where bytes < pages * current_setting('block_size')::bigint
  union all
  select 'missing', name from stored where bytes = 0 and (pg_stat_file(path, true)).size is null
  union all
  select 'invalid_indexes', name from stored join pg_index on indexrelid = oid
   where not (indisvalid and indisready and indislive)
  union all
  select 'other_indexes', name from stored
   where relkind = 'i' and relam <> (select oid from pg_am where amname = 'btree')
  union all
  select 'unvalidated', format('%I on %I.%I', conname, nspname, relname)
    from pg_constraint c join pg_class r on r.oid = conrelid join pg_namespace n on n.oid = relnamespace
   where not convalidated
  union all
  select 'collations', format('%I.%I', nspname, collname)
    from (select distinct unnest(indcollation) as oid from pg_index) as used
    join pg_collation c using (oid) join pg_namespace n on n.oid = collnamespace
   where collversion <> pg_collation_actual_version(used.oid)
  union all
  select 'collations', 'the default of the database' where :'outdated'
  union all
  select 'lost_extensions', extname || ' ' || extversion from pg_extension
   where not exists (select from pg_available_extensions where name = extname)
  union all
  select 'not_vacuumed', name from stored
   where relkind in ('r', 'm') and bytes > 0 and relallvisible = 0
     and name !~ '^(pg_catalog|information_schema)[.]'),
numbered as (select *, row_number() over (partition by list order by name) as place from listed),
lists as (
  select list,
         json_build_object('count', count(*), 'first', json_agg(name) filter (where place <= 10)) as found
    from numbered group by list)
select json_build_object(
  'name', current_database(),
  'bytes', (select coalesce(sum(bytes), 0) from stored),
  'amcheck', exists (select from pg_extension where extname = 'amcheck'),
  'lists', (select coalesce(json_object_agg(list, found), '{}') from lists));
SQL
}
for database in $(databases); do
  called "$database"
  [ -n "$name" ] || continue
  if found=$(look "$name"); then printf '%s\\n' "$found" | sed '/^{/!d'; else
    sql -v name="$name" -v failure="$found" <<'SQL'
select json_build_object('name', :'name', 'failure', :'failure');
SQL
  fi
done
""",
)

# $1: name of the run. Its connections are ended until none comes again; what had them then ends by itself.
CANCEL = script(
    QUERYING,
    """
end=$(( $(date +%s) + 10 ))
quiet=0
while [ "$quiet" -lt 5 ] && [ "$(date +%s)" -lt "$end" ]; do
  ended=$(sql -v name="$1" <<'SQL'
select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = :'name';
SQL
)
  if [ "$ended" = 0 ]; then quiet=$(( quiet + 1 )); else quiet=0; fi
  sleep 0.2
done
""",
)
