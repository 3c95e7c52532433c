"""system.local, system.peers and system.peers_v2 through the proxy: whatever is asked, a server's names, types and errors."""

from __future__ import annotations

import pytest
from cassandra import InvalidRequest, Unauthorized
from cassandra.query import tuple_factory

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


def answer(session, text: str) -> tuple:
    """What a driver can tell of an answer."""
    try:
        result = session.execute(text)
    except Exception as error:  # noqa: BLE001: the kind and message of any error are what is compared
        return type(error).__name__, str(error)
    types = [kind.cql_parameterized_type() for kind in result.column_types or []]
    return result.column_names, types, [tuple(map(str, row)) for row in result]


@pytest.mark.parametrize("which", ["source", "target"])
def test_answers_are_a_servers(request, penumbra, connect, which) -> None:
    cluster = request.getfixturevalue(which)
    front = penumbra("--phase", "source_only" if which == "source" else "target_only")
    direct, through = connect(cluster), connect(front)
    for session in (direct, through):
        session.row_factory = tuple_factory
    texts = [f"SELECT {selectors} FROM system.local {tail}" for selectors in SAME for tail in TAILS]
    texts += [f"SELECT {selectors} FROM system.{table} {tail}" for selectors in PEERS for tail in PEER_TAILS
              for table in ("peers", "peers_v2")]
    different = []
    for text in texts:
        expected, seen = answer(direct, text), answer(through, text)
        if "*, key" in text:        # Addresses and tokens are ours: as many rows, of the same columns.
            expected, seen = [(*one[:2], len(one[2])) if len(one) == 3 else one for one in (expected, seen)]
        if expected != seen:
            different.append(f"{text}\n  {expected}\n  {seen}")
    assert not different, f"{len(different)} of {len(texts)}:\n" + "\n".join(different[:20])


def test_prepared_with_markers(front, connect, source) -> None:
    for session in (connect(source), connect(front)):
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
