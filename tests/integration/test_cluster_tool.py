"""tools/cluster keeps what its help says, on real nodes."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import NoHostAvailable

import support
from support import SPARE_ADDRESS, SPARE_NAME, CassandraCluster, run_tool

sys.path.insert(0, str(support.ROOT / "tools"))
from penumbra_tools.cassandra import Node, NodeSpec  # noqa: E402


@pytest.fixture
def spare(tmp_path: Path) -> Iterator[list[str]]:
    """Names of clusters that the test makes; none of them survives it."""
    names: list[str] = []
    yield names
    for name in names:
        run_tool("down", name, check=False)


def _release(cluster: CassandraCluster, kind: str) -> str:
    return cluster.version if kind == "cassandra" else "3.0.8"   # what ScyllaDB says of itself


def test_both_versions_answer(source: CassandraCluster, target: CassandraCluster, connect, request) -> None:
    for cluster, side, version in ((source, "source", "4.1.9"), (target, "target", "5.0.5")):
        assert cluster.version == version
        release = _release(cluster, request.config.getoption(f"--{side}-kind"))
        assert connect(cluster).execute("SELECT release_version FROM system.local").one()[0] == release
        assert [node["state"] for node in cluster.status()["nodes"]] == ["up"]


def test_up_again_changes_nothing(source: CassandraCluster) -> None:
    before = source.status()
    run_tool("up", source.name, "--version", "4.1", "--address", support.SOURCE_ADDRESS)
    assert source.status() == before


def test_up_with_another_shape_is_refused(source: CassandraCluster) -> None:
    done = run_tool("up", source.name, "--version", "5.0", "--address", support.SOURCE_ADDRESS, check=False)
    assert done.returncode == 1
    assert f"{source.name} exists with version 4.1 (now asked: 5.0): add --fresh" in done.stderr


def test_taken_address_names_who_has_it(source: CassandraCluster) -> None:
    done = run_tool("up", f"{support.PREFIX}-intruder", "--version", "4.1", "--address", support.SOURCE_ADDRESS, check=False)
    pid = source.status()["nodes"][0]["pid"]
    assert done.returncode == 1
    assert f"{support.SOURCE_ADDRESS}:9042, needed for CQL of node 1 of {support.PREFIX}-intruder, is taken by process {pid}" in (
        done.stderr)
    assert f"give {support.PREFIX}-intruder another --address" in done.stderr
    assert run_tool("status", f"{support.PREFIX}-intruder", check=False).returncode == 1, "nothing may be left of it"


def test_taken_port_of_another_program(spare: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind((SPARE_ADDRESS, 9042))
        taken.listen()
        done = run_tool("up", SPARE_NAME, "--version", "4.1", "--address", SPARE_ADDRESS, check=False)
    assert done.returncode == 1
    assert f"process {os.getpid()} (" in done.stderr


def test_address_of_another_machine() -> None:
    done = run_tool("up", SPARE_NAME, "--version", "4.1", "--address", "192.0.2.1", check=False)
    assert done.returncode == 1
    assert "192.0.2.1 is not an address of this machine" in done.stderr


def test_unknown_cluster_names_the_known(source: CassandraCluster) -> None:
    done = run_tool("kill", "no-such", check=False)
    assert done.returncode == 1
    assert "there is no cluster 'no-such'" in done.stderr and source.name in done.stderr


def test_a_node_that_cannot_start_shows_its_log(spare: list[str]) -> None:
    spare.append(SPARE_NAME)
    done = run_tool("up", SPARE_NAME, "--version", "5.0", "--address", SPARE_ADDRESS, "--set", "num_tokens=-1",
                    check=False)
    assert done.returncode == 1
    assert f"node 1 of {SPARE_NAME} (5.0.5) ended before it was ready: exit" in done.stderr
    assert "num_tokens" in done.stderr
    assert "/node1/logs/" in done.stderr


def test_java_of_another_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to("/bin/true")
    (tmp_path / "release").write_text('JAVA_VERSION="21.0.1"\n')
    code = ("import penumbra_tools.cassandra as c, pathlib\n"
            "c._java_major = lambda path: 21\n"
            "try: c.find_java()\n"
            "except c.ToolError as error: print(error)\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "JAVA_HOME": str(tmp_path), "PYTHONPATH": str(support.ROOT / "tools")})
    assert "Cassandra needs Java 17" in done.stdout and "is Java 21" in done.stdout
    assert "openjdk-17-jdk-headless" in done.stdout


def test_missing_maven_is_named(tmp_path: Path) -> None:
    code = ("import penumbra_tools.cassandra as c\n"
            "try: c.fetch('4.1')\n"
            "except c.ToolError as error: print(error)\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path),
                               "PYTHONPATH": str(support.ROOT / "tools")})
    assert "mvn, which downloads it, is missing: install maven" in done.stdout


def test_a_reused_pid_is_not_ours(tmp_path: Path) -> None:
    """A pid file that names a living process of somebody else: nothing is signalled."""
    spec = NodeSpec(cluster="c", version="5.0", number=1, address=SPARE_ADDRESS, port=9042, seed=SPARE_ADDRESS,
                    heap="512M", datacenter="datacenter1", auth=False, tls="off", settings={}, jvm=[],
                    home=tmp_path, tls_dir=tmp_path)
    node = Node(spec)
    stat = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    for started in ("another boot/1", f"{boot}/{stat[19]}"):   # Another time; and the right one, but not a node.
        (tmp_path / "pid.json").write_text(json.dumps({"pid": os.getpid(), "started": started, "jmx_port": 1}))
        assert node.pid is None
        assert node.signal(signal.SIGKILL) is False


def test_kill_and_restart_keep_data_pause_and_resume(spare: list[str], connect) -> None:
    spare.append(SPARE_NAME)
    cluster = CassandraCluster.up(SPARE_NAME, "--version", "5.0", "--address", SPARE_ADDRESS)
    session = connect(cluster)
    session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1} "
                    "AND durable_writes = true")
    session.execute("CREATE TABLE k.t (a int PRIMARY KEY, b int)")
    session.execute("INSERT INTO k.t (a, b) VALUES (1, 2)")
    cluster.do("stop")     # Gracefully: periodic commit log sync loses nothing that a drain has flushed.
    assert cluster.status()["nodes"][0]["state"] == "down"
    cluster.do("restart")
    assert connect(cluster).execute("SELECT b FROM k.t WHERE a = 1").one()[0] == 2

    cluster.do("pause", "--node", "1")
    assert cluster.status()["nodes"][0]["state"] == "paused"
    with pytest.raises(NoHostAvailable):
        connect(cluster, timeout=1.0)
    cluster.do("resume")
    assert cluster.status()["nodes"][0]["state"] == "up"

    before = cluster.status()["nodes"][0]["pid"]
    cluster.do("kill", "--node", "1")
    assert cluster.status()["nodes"][0]["state"] == "down"
    done = run_tool("pause", SPARE_NAME, check=False)
    assert f"node 1 of {SPARE_NAME} is not running: start it with tools/cluster restart {SPARE_NAME}" in done.stderr
    cluster.do("restart")
    assert cluster.status()["nodes"][0]["pid"] not in (None, before)
    assert connect(cluster).execute("SELECT b FROM k.t WHERE a = 1").one()[0] == 2
    cluster.down()
    assert run_tool("status", SPARE_NAME, check=False).returncode == 1


def test_passwords_and_tls(spare: list[str], connect) -> None:
    spare.append(SPARE_NAME)
    cluster = CassandraCluster.up(SPARE_NAME, "--version", "4.1", "--address", SPARE_ADDRESS, "--auth", "--tls")
    context = ssl.create_default_context(cafile=cluster.tls["ca"])
    context.load_cert_chain(cluster.tls["cert"], cluster.tls["key"])
    login = PlainTextAuthProvider(**cluster.auth)
    # Host names are checked: the certificate carries the node's address.
    session = connect(cluster, auth_provider=login, ssl_context=context,
                      ssl_options={"server_hostname": SPARE_ADDRESS})
    assert session.execute("SELECT release_version FROM system.local").one()[0] == "4.1.9"
    with pytest.raises(NoHostAvailable):
        connect(cluster, auth_provider=login, timeout=3.0)
    with pytest.raises(NoHostAvailable):
        connect(cluster, auth_provider=PlainTextAuthProvider("cassandra", "wrong"), ssl_context=context,
                ssl_options={"server_hostname": SPARE_ADDRESS}, timeout=5.0)


def test_cqlsh_of_the_environment(source: CassandraCluster, target: CassandraCluster, request) -> None:
    for cluster, side in ((source, "source"), (target, "target")):
        host, _, port = cluster.contact_point.rpartition(":")
        done = subprocess.run([Path(sys.executable).parent / "cqlsh", host, port, "-e",
                               "SELECT release_version FROM system.local"], capture_output=True, text=True, check=True)
        assert _release(cluster, request.config.getoption(f"--{side}-kind")) in done.stdout
