"""Schema changes: what ScyllaDB 5.2 refuses, in its own words, and what becomes of the rest on a Cassandra.

Every rule here is a line of the recordings (schema.jsonl): options, their forms, and grammar that 5.2 does not have.
"""

from __future__ import annotations

import re

from .cql import Statement, Token
from .wire import CONFIG_ERROR, INVALID, SERVER_ERROR, SYNTAX_ERROR, Refused

_TABLE_OPTIONS = {
    "comment", "compaction", "compression", "caching", "cdc", "speculative_retry", "read_repair_chance",
    "dclocal_read_repair_chance", "memtable_flush_period_in_ms", "crc_check_chance", "bloom_filter_fp_chance",
    "default_time_to_live", "gc_grace_seconds", "max_index_interval", "min_index_interval", "index_interval",
    "tombstone_gc", "paxos_grace_seconds", "synchronous_updates", "per_partition_rate_limit", "id"}
_KEYSPACE_OPTIONS = {"replication", "durable_writes", "storage"}
# Known to ScyllaDB, not to the Cassandra behind.
_DROPPED = {"read_repair_chance", "dclocal_read_repair_chance", "index_interval", "tombstone_gc", "paxos_grace_seconds",
            "synchronous_updates", "per_partition_rate_limit", "cdc", "storage", "id"}
_COMPACTIONS = {"SizeTieredCompactionStrategy", "LeveledCompactionStrategy", "TimeWindowCompactionStrategy",
                "NullCompactionStrategy"}
_SUB_OPTIONS = {  # of Cassandra; others are ignored by ScyllaDB and refused behind
    "class", "enabled", "max_threshold", "min_threshold", "min_sstable_size", "bucket_low", "bucket_high",
    "sstable_size_in_mb", "fanout_size", "compaction_window_unit", "compaction_window_size", "timestamp_resolution",
    "tombstone_threshold", "tombstone_compaction_interval", "unchecked_tombstone_compaction", "only_purge_repaired_tombstones"}
_SPECULATIVE = re.compile(r"NONE|ALWAYS|\d+(\.\d+)?(ms|PERCENTILE)", re.IGNORECASE)


def _no_viable(at: Token) -> Refused:
    return Refused(SYNTAX_ERROR, f"line 1:{at.start} no viable alternative at input '{at.text}'")


def _syntax(at: int) -> Refused:
    return Refused(SYNTAX_ERROR, f"line 1:{at}  : syntax error...\n")


def _literal(token: Token) -> str:
    return token.text[1:-1].replace("''", "'") if token.kind == "string" else token.text


def _map(tokens: list[Token]) -> dict[str, str] | None:
    """{'a': 'b', 'c': 1} as text, None for anything else."""
    if not tokens or tokens[0].text != "{" or tokens[-1].text != "}":
        return None
    inner = [t for t in tokens[1:-1] if t.text not in (":", ",")]
    return {_literal(k): _literal(v) for k, v in zip(inner[::2], inner[1::2])}


def _map_text(items: dict[str, str]) -> str:
    return "{" + ", ".join(f"'{k}': '{v}'" for k, v in items.items()) + "}"


def _grammar(statement: Statement) -> None:
    """Clauses of newer Cassandras that 5.2 does not parse."""
    tokens = statement.tokens
    words = [t.word for t in tokens]
    verb = statement.verb
    if words[:2] == ["create", "trigger"]:
        raise _no_viable(tokens[0])
    if words[0] == "alter":
        for i in range(2, len(tokens) - 1):
            if words[i] == "if" and words[i + 1] in ("exists", "not"):
                raise _no_viable(tokens[i])
    if verb == "alter table":
        for i, word in enumerate(words):
            if word == "drop" and "using" in words[i:]:
                raise _syntax(tokens[i + 1].start if i + 1 < len(tokens) else tokens[i].start)
            if word == "add" and i + 1 < len(tokens) and tokens[i + 1].text != "(":
                depth = 0
                for token in tokens[i + 1:]:
                    depth += (token.text in "(<") - (token.text in ")>")
                    if token.text == "," and depth == 0:
                        raise _syntax(token.start)
    if verb in ("create table", "create columnfamily"):
        if "like" in words:
            raise Refused(SYNTAX_ERROR, f"line 1:{tokens[words.index('like')].start} missing '(' at '<missing '")
        end = words.index("with") if "with" in words else len(words)
        for i in range(3, end):
            if words[i] == "masked" and i + 1 < end and words[i + 1] == "with":
                raise _no_viable(tokens[i - 1])
            if words[i] == "vector" and i + 1 < end and tokens[i + 1].text == "<":
                raise Refused(SYNTAX_ERROR, f"line 1:{tokens[i + 1].start} missing ')' at '<missing '")
            if tokens[i].kind == "string":
                raise _no_viable(tokens[i])
    if verb == "create index" and "using" in words:
        raise Refused(INVALID, "Cannot specify index class for a non-CUSTOM index")
    if verb == "create custom" and "using" in words:
        given = _literal(tokens[words.index("using") + 1])
        raise Refused(INVALID, f"Unsupported CUSTOM INDEX class {given}. Note that currently, Scylla does not support "
                               "SASI or any other CUSTOM INDEX class.")


def _table_option(name: str, tokens: list[Token], is_view: bool) -> str | None:
    """The option for Cassandra, None when it has no such thing."""
    given = _map(tokens)
    if name == "compression":
        if given and "sstable_compression" not in given:
            raise Refused(CONFIG_ERROR, "Missing sub-option 'sstable_compression' for the 'compression' option.")
        if given is not None:
            if not given:
                return None
            if not given["sstable_compression"]:
                return "compression = {'enabled': 'false'}"
            kept = {"class": given["sstable_compression"]}
            for key in ("chunk_length_kb", "chunk_length_in_kb"):
                if key in given:
                    kept["chunk_length_in_kb"] = given[key]
            return "compression = " + _map_text(kept)
    if name == "compaction" and given is not None:
        short = given.get("class", "").rpartition(".")[2]
        if short == "DateTieredCompactionStrategy":
            raise Refused(CONFIG_ERROR, "DateTieredCompactionStrategy is deprecated, and forbidden by the current "
                                        "configuration. Please use TimeWindowCompactionStrategy instead. You may also "
                                        "override this restriction by setting the restrict_dtcs configuration option "
                                        "to false.")
        if short not in _COMPACTIONS:
            raise Refused(CONFIG_ERROR, f"Unable to find compaction strategy class '{given.get('class')}'")
        return "compaction = " + _map_text({k: v for k, v in given.items() if k in _SUB_OPTIONS})
    if name == "caching" and given is not None:
        kept = {k: v for k, v in given.items() if k != "enabled"}
        return "caching = " + _map_text(kept) if kept else None
    if name == "cdc" and given is None:
        raise Refused(SERVER_ERROR, "Cannot create cdc info from string")
    if name == "speculative_retry" and not _SPECULATIVE.fullmatch(_literal(tokens[0])):
        raise Refused(SERVER_ERROR, "sstring out of range")
    if name == "tombstone_gc" and given and given.get("mode") == "repair":
        raise Refused(CONFIG_ERROR, "tombstone_gc option with mode = repair not supported for table with RF one or "
                                    "local replication strategy")
    if name == "synchronous_updates" and not is_view:
        raise Refused(INVALID, "The synchronous_updates option is only applicable to materialized views, not to base "
                               "tables")
    if name in _DROPPED:
        return None
    return name + " = " + " ".join(t.text for t in tokens)


def behind(statement: Statement) -> str:
    """The schema change for Cassandra; Refused as ScyllaDB refuses it."""
    _grammar(statement)
    tokens = statement.tokens
    verb = statement.verb
    of_table = verb in ("create table", "create columnfamily", "alter table", "create materialized", "alter materialized")
    of_keyspace = verb in ("create keyspace", "create schema", "alter keyspace", "alter schema")
    if not (of_table or of_keyspace):
        return statement.text
    begin = next((i for i, t in enumerate(tokens) if t.word == "with" and
                  (i + 1 < len(tokens)) and not (i and tokens[i - 1].word == "masked")), None)
    if begin is None:
        return statement.text
    known = _TABLE_OPTIONS if of_table else _KEYSPACE_OPTIONS
    kept: list[str] = []
    depth, first = 0, begin + 1
    for i in range(begin + 1, len(tokens) + 1):
        at_end = i == len(tokens)
        if at_end or (depth == 0 and tokens[i].word == "and"):
            option = tokens[first:i]
            first = i + 1
            if len(option) >= 3 and option[1].text == "=":
                name = option[0].name
                if name not in known:
                    raise Refused(SYNTAX_ERROR, f"Unknown property '{name}'")
                made = _table_option(name, option[2:], verb.endswith("materialized")) if of_table else \
                    None if name in _DROPPED else name + " = " + " ".join(t.text for t in option[2:])
                if made:
                    kept.append(made)
            elif option:  # COMPACT STORAGE, CLUSTERING ORDER BY (...)
                kept.append(" ".join(t.text for t in option))
        elif not at_end:
            depth += (tokens[i].text in "({[") - (tokens[i].text in ")}]")
    head = statement.text[:tokens[begin].start]
    if kept:
        return head + "WITH " + " AND ".join(kept)
    # An ALTER that only says what Cassandra does not know must still be one that changes nothing.
    return head + "WITH gc_grace_seconds = 864000" if verb == "alter table" else head
