"""Hostile settings: for everything that an owner of a database or a role may set, values that could bend us.

`python -m tests.hostile.settings [MAJOR]` tries each by itself, and tells which changes an answer of ours.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.lab.postgres import Server

STRINGS = {
    "role": ("app", "pg_monitor"),
    "session_authorization": ("app",),
    "search_path": ("evil, public, pg_catalog", "pg_temp", ""),
    "DateStyle": ("SQL, DMY", "German"),
    "TimeZone": ("Asia/Kathmandu",),
    "timezone_abbreviations": ("Australia",),
    "lc_monetary": ("C.UTF-8",),
    "lc_numeric": ("C.UTF-8",),
    "lc_time": ("C.UTF-8",),
    "lc_messages": ("de_DE.UTF-8",),
    "client_encoding": ("LATIN1", "EUC_JP", "SJIS"),
    "default_tablespace": ("pg_global", "nowhere"),
    "temp_tablespaces": ("pg_global", "nowhere"),
    "default_table_access_method": ("nowhere", "bent"),
    "default_text_search_config": ("pg_catalog.german",),
    "local_preload_libraries": ("nope",),
    "session_preload_libraries": ("nope",),
    "dynamic_library_path": ("/nowhere",),
    "synchronous_standby_names": ("unreachable",),
    "default_toast_compression": ("lz4",),
    "wal_consistency_checking": ("all",),
    "restrict_nonsystem_relation_kind": ("view",),
    "debug_io_direct": ("data",),
    "createrole_self_grant": ("set, inherit",),
    "event_source": (),
    "backtrace_functions": ("exec_simple_query",),
    "extension_control_path": ("/nowhere",),
}
"""What nothing about the setting itself would tell."""
TIMES = {
    "statement_timeout": "1",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
    "idle_session_timeout": "1",
    "transaction_timeout": "1",  # since 17
}
FORMS = {
    "default_transaction_read_only": "on",
    "DateStyle": "'SQL, DMY'",
    "IntervalStyle": "sql_standard",
    "TimeZone": "'Asia/Kathmandu'",
    "quote_all_identifiers": "on",
    "standard_conforming_strings": "off",
    "client_encoding": "LATIN1",
    "client_min_messages": "log",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "xmlbinary": "hex",
    "row_security": "off",
    "transform_null_equals": "on",
    "exit_on_error": "on",
    "array_nulls": "off",
    "synchronous_commit": "remote_apply",
    "constraint_exclusion": "on",
    "jit": "on",
}
STARTS = {
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "local_preload_libraries": "nope",
    "default_tablespace": "nowhere",
}
RULES = {
    "session_preload_libraries": "nope",
    "zero_damaged_pages": "on",
    "ignore_checksum_failure": "on",
    "role": "pg_monitor",
}
"""What bends us all at once: times, what is printed how, how sessions start; RULES are a superuser's to set,
and FORMS alone can be set for the whole server without harm to its replicas.
"""
_HIDDEN = ("role", "session_authorization")
"""Settings that pg_settings does not show."""
_LEFT_ALONE = {"application_name", "transaction_isolation", "transaction_read_only", "transaction_deferrable",
               "is_superuser", "in_hot_standby", "seed", "ssl_renegotiation_limit",
               "data_sync_retry", "db_user_namespace"}  # fmt: skip
_SERVERS = ("allow_in_place", "archive_", "authentication", "autovacuum", "bgwriter", "checkpoint",
            "debug_pr", "fsync", "full_page_writes", "hba", "ident", "krb", "listen", "lo_compat", "log_",
            "max_wal_size", "min_wal_size", "port", "post_auth", "pre_auth", "primary_", "promote",
            "recovery", "restore_", "ssl", "unix", "wal_keep", "wal_receiver")  # fmt: skip
"""How the server itself is run, which no session could pin."""


@dataclass(frozen=True)
class Bend:
    """A setting, and a hostile value of it."""

    setting: str
    value: str
    context: str

    def __str__(self) -> str:
        return f"{self.setting} = '{self.value}'"


def bends(server: Server) -> Iterator[Bend]:
    """All that this version has."""
    query = """
    select name, context, vartype, reset_val, min_val, max_val, enumvals::text[] from pg_settings
     where context in ('user', 'superuser', 'sighup', 'backend', 'superuser-backend') and name !~ '[.]'
     order by name
    """
    for name in _HIDDEN:
        yield from (Bend(name, value, "user") for value in STRINGS[name])
    for name, context, kind, standing, least, most, every in server.sql(query):
        if name in _LEFT_ALONE or name.startswith(_SERVERS):
            continue
        found = STRINGS.get(name) or _values(kind, standing, least, most, every or [])
        for value in found:
            if value != standing:
                yield Bend(name, value, context)


def _values(
    kind: str, standing: str | None, least: str | None, most: str | None, every: list[str]
) -> list[str]:
    match kind:
        case "bool":
            found = ["off" if standing == "on" else "on"]
        case "enum":
            found = every
        case "integer" | "real":
            found = [least or "0", "1", most or "1"]
        case _:
            found = []
    return [value for value in dict.fromkeys(found) if _allowed(value, least, most)]


def _allowed(value: str, least: str | None, most: str | None) -> bool:
    return least is None or most is None or float(least) <= float(value) <= float(most)


def main(major: int) -> None:
    """Tell what changes an answer, when it is set for both roles, or for the server."""
    from tests.hostile.bench import Bench  # noqa: PLC0415 - which needs this module

    with Bench.open(major) as bench:
        clean = bench.answers()
        for name, answer in clean.items():
            print("clean", name, answer[:300], flush=True)  # noqa: T201 - a tool that tells
        again = bench.answers()
        assert again == clean, {
            name: (again[name], clean[name]) for name in clean if again[name] != clean[name]
        }
        for bend in bends(bench.primary):
            for who in bench.targets(bend):
                if refused := bench.bend(bend, who):
                    print("REFUSED", bend, who, refused, flush=True)  # noqa: T201
                    continue
                found = bench.answers(only=who)
                changed = {name: found[name][:160] for name in found if found[name] != clean[name]}
                print("CHANGED" if changed else "same", bend, f"({bend.context})", who, changed, flush=True)  # noqa: T201
                bench.straighten()


if __name__ == "__main__":
    main(int([*sys.argv, "15"][1]))
