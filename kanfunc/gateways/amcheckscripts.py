"""The scripts that look into tables and indexes, with pg_amcheck and beside it: constants, too."""

from kanfunc.gateways.shell import script
from kanfunc.gateways.structurescripts import SESSIONS

# exposed: our extensions outside pg_catalog, where others can have made functions. One that fits a call
# better than the extension's own would be called as superuser: pg_amcheck names but the schema.
# triggers: the event triggers that would run when we create something. Before 17 the pins keep only those
# quiet that do not fire in replicas.
_EXTENSIONS = script(
    SESSIONS,
    """
exposed="select extname, nspname from pg_extension join pg_namespace n on n.oid = extnamespace
  where extname in ('amcheck', 'pg_visibility') and nspname <> 'pg_catalog'"
triggers="select evtname from pg_event_trigger
  where evtenabled in ('A', 'R') and current_setting('server_version_num')::int < 170000"
""",
)

# $3: yes to have amcheck and pg_visibility installed in every database, and moved to pg_catalog where they
# are exposed. One line of JSON for each database where that did not come about, or which bars pg_amcheck.
#
# pg_amcheck chooses its databases after we have looked. So each one that exists now bars it, unless it was
# seen to be safe, by its oid: an owner may close or rename it for a moment. A later one is a copy of these.
PREPARE = script(
    _EXTENSIONS,
    """
pin default_transaction_read_only=off
prepare() {
  within "$1" -v ON_ERROR_STOP=1 -v oid="$2" -v install="$3" \\
    -v exposed="$exposed" -v triggers="$triggers" <<'SQL'
select :'install' = 'yes' as installing, count(*) > 0 as triggered, min(evtname) as trigger
  from (:triggers) as t \\gset
\\if :installing
\\if :triggered
select json_build_object('database', current_database(), 'reason',
  format('the event trigger %s would run as superuser', :'trigger'));
\\else
create extension if not exists amcheck with schema pg_catalog;
create extension if not exists pg_visibility with schema pg_catalog;
select format('alter extension %I set schema pg_catalog', extname) from (:exposed) as e \\gexec
\\endif
\\endif
select json_build_object('database', current_database(), 'bars', 'amcheck is in schema ' || nspname)
  from (:exposed) as e where extname = 'amcheck';
select json_build_object('database', datname, 'bars', 'it was renamed while we looked')
  from pg_database where datname = current_database() and oid <> :oid;
SQL
}
bar() {
  sql -v name="$name" -v reason="$1" <<'SQL'
select json_build_object('database', :'name', 'bars', :'reason');
SQL
}
all=$(sql <<'SQL'
select oid || case when datallowconn then '/open' else '/closed' end
  from pg_database where datname <> 'template0' order by datname;
SQL
)
for each in $all; do
  called "${each%/*}"
  if [ -z "$name" ]; then continue; fi
  if [ "${each#*/}" = closed ]; then bar 'it allows no connections';
  elif found=$(prepare "$name" "${each%/*}" "$3" 2>&1); then printf '%s\\n' "$found" | sed '/^{/!d';
  else bar "$found"; fi
done
""",
)

# $3: connections of pg_amcheck, $4: yes where it may be run.
#
# Beside pg_amcheck, and in the same order, so that a table that both read is read from disk once: is a page
# lost that the visibility map calls visible? The page says so itself: PD_ALL_VISIBLE (4) in pd_flags, at byte
# 10, or 11 on a big-endian machine (bufpage.h). That bit is looked for in the files, 128 pages at a time, at
# a third of what pg_visibility takes for it. Of a page without it, because it is lost, not visible, or newer
# in memory, pg_visibility knows more; it is asked twice, because an update clears page and map one after the
# other. Where it is not installed, or is exposed, it is made or moved in a transaction that ends with the
# session, undone. What cannot be read is amcheck's to find.
EXAMINE = script(
    _EXTENSIONS,
    """
look() {
  within "$1" -v ON_ERROR_ROLLBACK=on -v VERBOSITY=verbose \\
    -v exposed="$exposed" -v triggers="$triggers" -v piece=128 <<'SQL'
select coalesce((select case when installed_version is null then 'create extension pg_visibility with'
         when exists (select from (:exposed) as e where extname = name)
         then 'alter extension pg_visibility set' end
    from pg_available_extensions where name = 'pg_visibility'), '') as change,
  coalesce((select min(evtname) from (:triggers) as t), '') as trigger \\gset
select :'change' <> '' and :'trigger' = '' as changing \\gset
\\if :changing
begin read write;
:change schema pg_catalog;
\\endif
select (:'change' = '' or :'changing') and count(*) = 1 as there, quote_ident(min(nspname)) as schema
  from pg_extension join pg_namespace n on n.oid = extnamespace where extname = 'pg_visibility' \\gset
\\if :there
select setting as segment from pg_settings where name = 'segment_size' \\gset
select current_setting('block_size') as page \\gset
select string_agg(format('(get_byte(bytes, %s) | get_byte(bytes, %s))', at + 10, at + 11), ' & ') as flags
  from generate_series(0, :piece * :page - 1, :page) as at \\gset
prepare lost(regclass) as
select json_build_object('lost', count(*), 'page', min(block))
  from (
    select start, pages, pg_read_binary_file(path || coalesce('.' || nullif(start / :segment, 0), ''),
                                             start % :segment * :page, :piece * :page, true) as bytes
      from (select pg_relation_filepath($1) as path, pg_relation_size($1) / :page as pages) as file
      cross join lateral generate_series(0, pages - 1, :piece) as start
    offset 0) as piece
  cross join lateral generate_series(start, case
    when octet_length(bytes) = :piece * :page and (:flags) & 4 > 0 then start
    else least(start + :piece, pages) end - 1) as block
  cross join lateral (select (block - start)::int * :page as at) as place
 where (octet_length(bytes) >= at + :page
        and (get_byte(bytes, at + 10) | get_byte(bytes, at + 11)) & 4 > 0) is not true
   and (select all_visible from :schema.pg_visibility_map($1, block))
   and (select all_visible and not pd_all_visible from :schema.pg_visibility($1, block))
   and (select all_visible and not pd_all_visible from :schema.pg_visibility($1, block));
select format('select json_build_object(''counting'', %L::text, ''database'', current_database())', name),
       format('execute lost(''%s'')', c.oid)
  from pg_class c join pg_namespace n on n.oid = relnamespace
  cross join lateral format('%I.%I', nspname, relname) as name
 where relkind in ('r', 'm', 't') and relpersistence <> 't' and relallvisible > 0
 order by relpages desc \\gexec
\\else
select json_build_object('blind', current_database(), 'trigger', :'trigger');
\\endif
SQL
}
looks() {
  for database in $(databases); do
    called "$database"
    [ -z "$name" ] || look "$name"
  done
  echo end
}
looks 2>&1 | sed -u 's/^/looks:/' &
if [ "$4" = yes ]; then
  exec 4>&1
  {
    {
      code=0
      pg_amcheck --all -U postgres --jobs="$3" --progress 2>&3 || code=$?
      echo "exit $code" >&3
    } | sed -u '1,200!d;s/^/complaint:/' >&4
  } 3>&1 | sed -u 's/^/amcheck:/'
fi
wait
sql <<'SQL'
select 'after:' || json_build_object('checksum_failures', coalesce(sum(checksum_failures), 0))
  from pg_stat_database;
SQL
""",
)
