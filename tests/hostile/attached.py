"""What an owner attaches to his tables, so that others evaluate it: and triggers of events."""

TABLES = """
create function evil.imm(int) returns bool language plpgsql immutable as
 $$ begin perform evil.spring('attached index predicate or check'); return true; end $$;
create function evil.immt(text) returns text language plpgsql immutable as
 $$ begin perform evil.spring('attached expression'); return $1; end $$;
create table public.trap (id serial primary key, t text);
insert into public.trap (t) select 'x' from generate_series(1, 100);
create index on public.trap (t) where evil.imm(1);
create index on public.trap (evil.immt(t));
create statistics public.trap_statistics on evil.immt(t), lower(t) from public.trap;
alter table public.trap add check (evil.imm(id));
create table public.generated (id serial primary key, g text generated always as (evil.immt('x')) stored);
insert into public.generated default values;
create table public.secured (id serial primary key, t text);
alter table public.secured enable row level security;
alter table public.secured force row level security;
create policy secured on public.secured using (evil.imm(id));
create function evil.on_row() returns trigger language plpgsql as
 $$ begin perform evil.spring('attached trigger'); return new; end $$;
create trigger fired before insert or update or delete on public.secured
 for each row execute function evil.on_row();
create rule also as on insert to public.secured do also select evil.imm(1);
create domain public.limited as int check (evil.spring('attached domain'));
create table public.limits (id serial primary key, l public.limited);
insert into public.limits (l) values (1);
create table public.parent (id serial primary key);
create table public.child (t text) inherits (public.parent);
create table public.parts (id int not null, t text) partition by hash (evil.immt(t));
create table public.part partition of public.parts for values with (modulus 1, remainder 0);
create view public.looks_like_a_table as select 1 as id where evil.spring('attached view');
create materialized view public.kept as select 1 as id where evil.spring('attached view')
"""

CASTS = """
create function evil.to_text(public.items) returns text language plpgsql as
 $$ begin perform evil.spring('cast items as text'); return 'lies'; end $$;
create cast (public.items as text) with function evil.to_text(public.items) as implicit;
create function evil.to_json(public.items) returns json language plpgsql as
 $$ begin perform evil.spring('cast items as json'); return '{}'; end $$;
create cast (public.items as json) with function evil.to_json(public.items) as implicit;
create function evil.to_text(public.colour) returns text language plpgsql as
 $$ begin perform evil.spring('cast colour as text'); return 'lies'; end $$;
create cast (public.colour as text) with function evil.to_text(public.colour) as implicit;
create function evil.to_int(public.colour) returns int language plpgsql as
 $$ begin perform evil.spring('cast colour as int'); return 1; end $$;
create cast (public.colour as int) with function evil.to_int(public.colour) as implicit
"""

EVENTS = """
create function evil.on_event() returns event_trigger language plpgsql as
 $$ begin perform evil.spring('event ' operator(pg_catalog.||) tg_event); end $$;
create event trigger starts on ddl_command_start execute function evil.on_event();
create event trigger ends on ddl_command_end execute function evil.on_event();
create event trigger drops on sql_drop execute function evil.on_event()
"""
LOGIN = "create event trigger logs_in on login execute function evil.on_event()"
"""Since 17."""
BEYOND = "alter event trigger starts enable always; alter event trigger ends enable replica"
"""Fire although `session_replication_role` is replica."""


def statements(text: str) -> list[str]:
    return [each.strip() for each in text.split(";\n") if each.strip()]
