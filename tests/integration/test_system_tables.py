"""system.local, system.peers and system.peers_v2 through the proxy: whatever is asked, a server's names, types and errors."""

from __future__ import annotations

from typing import ClassVar

import pytest
from cassandra import InvalidRequest, Unauthorized
from cassandra.protocol import ProtocolHandler
from cassandra.query import tuple_factory

import support

# Selectors that are the same of our row and of the node's own, and such that are not.
SAME = ["key", "*, key", "rack AS r", "toJson(release_version)", "token(key)", "cast(rpc_port AS text)", "rpc_port + 1, -rpc_port",
        "count(*)", "count(rack)", "min(rack), max(rpc_port), sum(rpc_port), avg(rpc_port)", "toJson(min(rack))", "min(toJson(rack))",
        "blobAsText(textAsBlob(rack))", "[rack, data_center], (rack, rpc_port)", "(int)1", "writetime(rack), ttl(rack)",
        "bigintAsBlob(token(key))", "tokens['a'], tokens['a'..'b']", "system.toJson(partitioner)", "rack, count(*)",
        "nope", "nope(rack)", "1", "min(tokens, rack)", "blobAsInt(textAsBlob(rack))", "rpc_port / 0", "cast(rack AS int)",
        "writetime(tokens)", "count(tokens)", "toJson()", "\"Key\"", "DISTINCT key", "DISTINCT rack", "JSON key, rack AS \"Rack\"",
        "JSON count(*), token(key)", ""]
TAILS = ["", "WHERE key = 'local'", "WHERE key = 'other'", "WHERE key IN ('local', 'x')", "WHERE key = 1", "WHERE key = null",
         "WHERE token(key) <= token('local')", "WHERE token(key) > 'a'", "WHERE rack = 'rack1'", "WHERE nope = 1",
         "WHERE rack > 'a' ALLOW FILTERING", "WHERE tokens CONTAINS 'x' ALLOW FILTERING", "LIMIT 1", "LIMIT 0", "PER PARTITION LIMIT 1",
         "GROUP BY key", "GROUP BY rack", "ORDER BY key", "USING TIMEOUT 5s"]
PEERS = ["*", "count(*)", "peer, token(peer)", "JSON *", "DISTINCT peer", "nope", "toJson(tokens)", "min(peer), max(rack)"]
PEER_TAILS = ["", "WHERE peer = '10.9.9.9'", "WHERE peer = 'x'", "WHERE rack = 'r'", "WHERE peer = '10.9.9.9' ORDER BY peer_port DESC",
              "WHERE rack = 'r' ALLOW FILTERING", "GROUP BY peer"]


def answers(session, texts: list[str]) -> list[tuple]:
    """What a driver can tell of each answer."""
    told = []
    for first in range(0, len(texts), 40):
        for future in [session.execute_async(text) for text in texts[first:first + 40]]:
            try:
                result = future.result()
            except Exception as error:  # noqa: BLE001: the kind and message of any error are what is compared
                told.append((type(error).__name__, str(error)))
            else:
                types = [kind.cql_parameterized_type() for kind in result.column_types or []]
                told.append((result.column_names, types, [tuple(map(str, row)) for row in result]))
    return told


@pytest.mark.parametrize("which", ["source", "target"])
def test_answers_are_a_servers(request, penumbra, connect, which) -> None:
    cluster = request.getfixturevalue(which)
    front = penumbra("--phase", "source_only" if which == "source" else "target_only")
    direct, through = connect(cluster), connect(front)
    for session in (direct, through):
        session.cluster.profile_manager.default.row_factory = tuple_factory
    texts = [f"SELECT {selectors} FROM system.local {tail}" for selectors in SAME for tail in TAILS]
    texts += [f"SELECT {selectors} FROM system.{table} {tail}" for selectors in PEERS for tail in PEER_TAILS
              for table in ("peers", "peers_v2")]
    different = []
    for text, expected, seen in zip(texts, answers(direct, texts), answers(through, texts), strict=True):
        if "*, key" in text:        # Addresses and tokens are ours: as many rows, of the same columns.
            expected, seen = [(*one[:2], len(one[2])) if len(one) == 3 else one for one in (expected, seen)]
        if expected != seen:
            different.append(f"{text}\n  {expected}\n  {seen}")
    assert not different, f"{len(different)} of {len(texts)}:\n" + "\n".join(different[:20])


@pytest.mark.parametrize("version", [4, pytest.param(5, marks=support.NEEDS_V5)])
def test_prepared_with_markers(front, connect, source, version) -> None:
    if source.is_scylla:
        pytest.skip("ScyllaDB takes no values where it selects, and has no peers_v2")
    for session in (connect(source, protocol_version=version), connect(front, protocol_version=version)):
        select = session.prepare("SELECT rack, toJson(rpc_port), (int)? FROM system.local WHERE key = ? LIMIT ?")
        assert session.execute(select, (7, "local", 1)).one() == ("rack1", "9042", 7)
        assert session.execute(select, (7, "nobody", 1)).all() == []
        named = session.prepare("SELECT rack FROM system.local WHERE key = :k")
        assert session.execute(named, {"k": "local"}).one().rack == "rack1"
        peers = session.prepare("SELECT * FROM system.peers_v2 WHERE peer = :address AND peer_port = :port")
        assert session.execute(peers, {"address": "10.9.9.9", "port": 7000}).all() == []
        with pytest.raises(InvalidRequest) as refused:
            session.execute(select, (7, "local", 0))
        assert "LIMIT must be strictly positive" in str(refused.value)


class Watching(ProtocolHandler):
    """Keeps the new id of the columns that each result of rows brings, or None."""

    new_ids: ClassVar[list[bytes | None]] = []

    @classmethod
    def decode_message(cls, version, types, stream, flags, opcode, body, *rest):  # noqa: ANN206, PLR0913: the driver's
        if opcode == 8 and body[:4] == b"\0\0\0\2":
            cls.new_ids.append(body[14:14 + body[13]] if body[7] & 8 else None)
        return super().decode_message(version, types, stream, flags, opcode, body, *rest)


@support.NEEDS_V5
def test_columns_that_a_client_does_not_know_are_told(front, connect, source) -> None:
    for session in (connect(source, protocol_version=5), connect(front, protocol_version=5)):
        select = session.prepare("SELECT rack, key FROM system.local")
        known = select.result_metadata_id
        session.client_protocol_handler = Watching
        Watching.new_ids.clear()
        assert session.execute(select).one() == ("rack1", "local")
        select.result_metadata_id = b"of another table"
        assert session.execute(select).one() == ("rack1", "local")
        assert Watching.new_ids == [None, known]


def test_the_schema_version_follows(penumbra, connect, keyspace, target) -> None:
    session = connect(penumbra("--phase", "target_only"))
    asked = "SELECT schema_version FROM system.local"
    before = session.execute(asked).one()
    session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
                    timeout=60)
    assert session.execute(asked).one() == connect(target).execute(asked).one() != before


@pytest.mark.parametrize("text", [
    "TRUNCATE system.local", "TRUNCATE system.peers_v2", "DELETE FROM system.local WHERE key = 'local'",
    "INSERT INTO system.peers (peer, rack) VALUES ('10.9.9.9', 'r')", "DELETE FROM system_schema.tables WHERE keyspace_name = 'x'",
    "BEGIN BATCH UPDATE system.local SET rack = 'r' WHERE key = 'local'; APPLY BATCH"])
def test_nobody_writes_to_what_nodes_need(front, connect, text) -> None:
    session = connect(front)
    with pytest.raises(Unauthorized) as refused:
        session.execute(text)
    assert "keyspace is not user-modifiable." in str(refused.value)
    assert session.execute("SELECT rack FROM system.local").one().rack == "rack1"


def test_an_address_that_nobody_can_connect_to(penumbra) -> None:
    process = penumbra("--advertise", "0.0.0.0", start=False)
    with pytest.raises(AssertionError, match="no driver could connect to that"):
        process.start()
