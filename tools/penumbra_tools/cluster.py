"""`tools/cluster`: real Cassandra clusters on loopback addresses, for tests, the demo and people."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import probe
from .cassandra import RELEASES, STORAGE_PORT, Node, NodeSpec, fetch, find_java, wait_until
from .certificates import make_certificates
from .common import ToolError, address_after, file_lock, require_free, state_dir

USER = PASSWORD = "cassandra"  # What Cassandra creates by itself when authentication is on.
START_TIMEOUT = 180.0          # Seconds, for one node. A busy two-core machine has been seen to need 60.
STOP_TIMEOUT = 60.0

_SHAPE = ("version", "nodes", "address", "port", "auth", "tls", "heap", "datacenter", "settings", "jvm")


class Cluster:
    """A named set of nodes. What it was created with is in cluster.json; the rest is asked of the processes."""

    def __init__(self, base: Path, name: str, shape: dict) -> None:
        self.name = name
        self.home = base / name
        self.shape = shape
        self.nodes = [Node(NodeSpec(
            cluster=name, version=shape["version"], number=i + 1,
            address=address_after(shape["address"], i), port=shape["port"], seed=shape["address"],
            heap=shape["heap"], datacenter=shape["datacenter"], auth=shape["auth"], tls=shape["tls"],
            settings=shape["settings"], jvm=shape["jvm"],
            home=self.home / f"node{i + 1}", tls_dir=self.home / "tls")) for i in range(shape["nodes"])]

    @staticmethod
    def load(base: Path, name: str) -> Cluster | None:
        try:
            return Cluster(base, name, json.loads((base / name / "cluster.json").read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError) as error:
            raise ToolError(f"{base / name / 'cluster.json'} cannot be read ({error!r}): "
                            f"remove {base / name} once none of its nodes runs") from None

    def save(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        temporary = self.home / "cluster.json.new"
        temporary.write_text(json.dumps(self.shape, indent=2) + "\n")
        temporary.rename(self.home / "cluster.json")

    # --- starting ---

    def start(self, nodes: list[Node], say: Callable[[str], None]) -> None:
        """Starts these nodes one after the other, as Cassandra wants nodes to join, and waits until all is usable."""
        java, lib = find_java(), fetch(self.shape["version"])
        for node in nodes:
            # All ports before the first node: half a cluster is no use to anyone.
            spec = node.spec
            remedy = f"stop it, or give {self.name} another --address"
            require_free(spec.address, spec.port, f"CQL of node {spec.number} of {self.name}", remedy + " or --port")
            require_free(spec.address, STORAGE_PORT, f"gossip of node {spec.number} of {self.name}", remedy)
        self.save()
        if self.shape["tls"] != "off":
            make_certificates(self.home / "tls", [node.spec.address for node in self.nodes])
        started: list[Node] = []
        try:
            for node in nodes:
                begin = time.monotonic()
                started.append(node)
                node.start(lib, java)
                what = f"node {node.spec.number} of {self.name} ({RELEASES[self.shape['version']]})"
                wait_until(lambda node=node: self._answers(node), probe.NotReady, node.died, START_TIMEOUT, what)
                say(f"{self.name}: node {node.spec.number} answers CQL on {node.spec.address}:{node.spec.port} "
                    f"after {time.monotonic() - begin:.1f} s")
            if len(self.nodes) > 1:
                for node in (node for node in self.nodes if node.pid is not None):
                    wait_until(lambda node=node: self._reaches_all(node), probe.NotReady, lambda: None, START_TIMEOUT,
                               f"node {node.spec.number} of {self.name}")
        except BaseException:
            # Not left behind half up, whatever stopped us: an error, or Ctrl-C. Their logs stay.
            for node in started:
                node.signal(signal.SIGKILL)
                node.wait_gone(STOP_TIMEOUT)
                node.forget()
            raise

    def _answers(self, node: Node) -> None:
        with self._connect(node) as connection:
            login = (USER, PASSWORD) if self.shape["auth"] else (None, None)
            connection.start(*login)
            connection.query("SELECT key FROM system.local")

    def _reaches_all(self, node: Node) -> None:
        """As seen from `node`, all others are alive: system_auth is there once, so a whole scan of it needs each."""
        if any(other.pid is None for other in self.nodes):
            return  # Some are meant to be down.
        with self._connect(node) as connection:
            connection.start(*((USER, PASSWORD) if self.shape["auth"] else (None, None)))
            connection.query("SELECT role FROM system_auth.roles")

    def _connect(self, node: Node) -> probe.Probe:
        tls = None
        if self.shape["tls"] in ("required", "mutual"):
            pem = self.home / "tls"
            tls = ssl.create_default_context(cafile=str(pem / "ca.pem"))
            tls.load_cert_chain(pem / "client.pem", pem / "client.key")
            tls.check_hostname = False
        return probe.Probe(node.spec.address, node.spec.port, 5.0, tls)

    # --- stopping ---

    def stop(self, nodes: list[Node]) -> list[str]:
        """SIGTERM, which makes Cassandra drain. Those that do not end in time are killed, and named in the answer."""
        slow = []
        for node in nodes:
            node.signal(signal.SIGCONT)  # A paused process would not see the SIGTERM.
            node.signal(signal.SIGTERM)
        for node in nodes:
            if not node.wait_gone(STOP_TIMEOUT):
                node.signal(signal.SIGKILL)
                node.wait_gone(STOP_TIMEOUT)
                slow.append(f"node {node.spec.number} of {self.name} did not end within {STOP_TIMEOUT:.0f} s of "
                            f"SIGTERM and was killed")
            node.forget()
        return slow

    def kill(self, nodes: list[Node]) -> None:
        for node in nodes:
            node.signal(signal.SIGKILL)
        for node in nodes:
            if not node.wait_gone(STOP_TIMEOUT):
                raise ToolError(f"process {node.pid} (node {node.spec.number} of {self.name}) does not end after "
                                f"SIGKILL: it hangs in the kernel, look at its disk")
            node.forget()

    # --- telling ---

    def describe(self) -> dict:
        shape = self.shape
        tls = self.home / "tls"
        return {
            "name": self.name,
            "version": RELEASES[shape["version"]],
            "datacenter": shape["datacenter"],
            "contact_point": f"{shape['address']}:{shape['port']}",
            "auth": {"username": USER, "password": PASSWORD} if shape["auth"] else None,
            "tls": None if shape["tls"] == "off" else {
                "mode": shape["tls"], "ca": str(tls / "ca.pem"),
                "cert": str(tls / "client.pem"), "key": str(tls / "client.key")},
            "directory": str(self.home),
            "nodes": [{"node": node.spec.number, "address": node.spec.address, "port": node.spec.port,
                       "state": self._state(node), "pid": node.pid, "jmx_port": node.jmx_port if node.pid else None,
                       "log": str(node.spec.log)} for node in self.nodes],
        }

    def _state(self, node: Node) -> str:
        if node.pid is None:
            return "down"
        if node.paused:
            return "paused"
        try:
            with self._connect(node) as connection:
                connection.start()  # No login: where its replica is down, nobody can log in anywhere.
        except probe.NotReady:
            return "not answering"
        return "up"


# --- the commands ----------------------------------------------------------------------------------------------------

def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    base = options.dir.resolve() if options.dir else state_dir() / "clusters"
    try:
        if options.command == "status":
            return _status(base, options)
        if "/" in options.name or options.name.startswith("."):
            raise ToolError(f"'{options.name}' cannot be a cluster's name: it becomes a directory, use letters")
        with file_lock(base / f".{options.name}.lock"):
            return _COMMANDS[options.command](base, options)
    except ToolError as error:
        print(f"tools/cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tools/cluster: interrupted; nodes that were starting have been stopped", file=sys.stderr)
        return 130


def _up(base: Path, options: argparse.Namespace) -> int:
    shape = {
        "version": options.version, "nodes": options.nodes, "address": options.address, "port": options.port,
        "auth": options.auth, "tls": options.tls, "heap": options.heap, "datacenter": options.datacenter,
        "settings": dict(options.set), "jvm": options.jvm,
    }
    if options.nodes < 1:
        raise ToolError(f"--nodes {options.nodes}: a cluster has at least one node")
    address_after(options.address, options.nodes - 1)
    old = Cluster.load(base, options.name)
    if old is not None and options.fresh:
        old.kill(old.nodes)
        shutil.rmtree(old.home)
        old = None
    if old is not None:
        differing = [key for key in _SHAPE if old.shape[key] != shape[key]]
        if differing:
            known = ", ".join(f"{key} {old.shape[key]} (now asked: {shape[key]})" for key in differing)
            raise ToolError(f"{options.name} exists with {known}: add --fresh to replace it with its data, or run "
                            f"tools/cluster down {options.name} first")
    cluster = old or Cluster(base, options.name, shape)
    missing = [node for node in cluster.nodes if node.pid is None]
    if missing:
        cluster.start(missing, _say)
    return _print(options, [cluster.describe()])


def _down(base: Path, options: argparse.Namespace) -> int:
    cluster = _existing(base, options.name)
    if options.keep:
        for complaint in cluster.stop(cluster.nodes):
            _say(complaint)
    else:
        # What they hold is deleted next: draining it to disk first would cost five seconds and serve nobody.
        cluster.kill(cluster.nodes)
        shutil.rmtree(cluster.home)
    return 0


def _stop(base: Path, options: argparse.Namespace) -> int:
    cluster = _existing(base, options.name)
    for complaint in cluster.stop(_chosen(cluster, options)):
        _say(complaint)
    return 0


def _kill(base: Path, options: argparse.Namespace) -> int:
    cluster = _existing(base, options.name)
    cluster.kill(_chosen(cluster, options))
    return 0


def _restart(base: Path, options: argparse.Namespace) -> int:
    cluster = _existing(base, options.name)
    chosen = _chosen(cluster, options)
    if options.node:
        for complaint in cluster.stop(chosen):
            _say(complaint)
    down = [node for node in chosen if node.pid is None]
    if down:
        cluster.start(down, _say)
    return _print(options, [cluster.describe()])


def _signal(number: signal.Signals) -> Callable[[Path, argparse.Namespace], int]:
    def command(base: Path, options: argparse.Namespace) -> int:
        cluster = _existing(base, options.name)
        for node in _chosen(cluster, options):
            if not node.signal(number):
                raise ToolError(f"node {node.spec.number} of {cluster.name} is not running: "
                                f"start it with tools/cluster restart {cluster.name}")
        return 0
    return command


def _nodetool(base: Path, options: argparse.Namespace) -> int:
    cluster = _existing(base, options.name)
    return _chosen(cluster, options)[0].nodetool(fetch(cluster.shape["version"]), find_java(), options.arguments)


def _status(base: Path, options: argparse.Namespace) -> int:
    names = [options.name] if options.name else sorted(p.parent.name for p in base.glob("*/cluster.json"))
    return _print(options, [_existing(base, name).describe() for name in names])


_COMMANDS = {"up": _up, "down": _down, "stop": _stop, "kill": _kill, "restart": _restart,
             "pause": _signal(signal.SIGSTOP), "resume": _signal(signal.SIGCONT), "nodetool": _nodetool}


def _existing(base: Path, name: str) -> Cluster:
    cluster = Cluster.load(base, name)
    if cluster is None:
        known = ", ".join(sorted(path.parent.name for path in base.glob("*/cluster.json"))) or "none"
        raise ToolError(f"there is no cluster '{name}' in {base} (there: {known}): "
                        f"create it with tools/cluster up {name} --version 5.0 --address 127.0.0.2")
    return cluster


def _chosen(cluster: Cluster, options: argparse.Namespace) -> list[Node]:
    if not options.node:
        return cluster.nodes
    if not 1 <= options.node <= len(cluster.nodes):
        raise ToolError(f"{cluster.name} has no node {options.node}: its nodes are 1 to {len(cluster.nodes)}")
    return [cluster.nodes[options.node - 1]]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(options: argparse.Namespace, clusters: list[dict]) -> int:
    if options.output == "json":
        print(json.dumps(clusters[0] if options.name else clusters, indent=2))
        return 0
    rows = [("CLUSTER", "VERSION", "NODE", "ADDRESS", "STATE", "PID", "LOG")]
    rows += [(c["name"], c["version"], str(n["node"]), f"{n['address']}:{n['port']}", n["state"], str(n["pid"] or "-"),
              n["log"]) for c in clusters for n in c["nodes"]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return 0


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/cluster", description="Runs real Apache Cassandra clusters on loopback addresses.",
        epilog="Node i of a cluster listens on the address i-1 after --address. State, data and logs are under "
               "${XDG_STATE_HOME:-~/.local/state}/penumbra/clusters/NAME, jars under ${XDG_CACHE_HOME:-~/.cache}.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, node: bool = False, output: bool = False,
                optional_name: bool = False) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("name", metavar="NAME", **({"nargs": "?"} if optional_name else {}))
        made.add_argument("--dir", type=Path, help="keep clusters in this directory instead")
        if node:
            made.add_argument("--node", type=int, metavar="I", help="only node I, counted from 1")
        if output:
            made.add_argument("-o", "--output", choices=("table", "json"), default="table")
        return made

    up = command("up", "create the cluster, or start what is missing of it, and wait until CQL answers", output=True)
    up.add_argument("--version", choices=tuple(RELEASES), required=True)
    up.add_argument("--nodes", type=int, default=1, metavar="N")
    up.add_argument("--address", required=True, help="of the first node, such as 127.0.0.1; the others follow")
    up.add_argument("--port", type=int, default=9042)
    up.add_argument("--auth", action="store_true", help="passwords on; the superuser is cassandra, cassandra")
    up.add_argument("--tls", nargs="?", const="required", default="off",
                    choices=("off", "optional", "required", "mutual"),
                    help="encrypt client connections (alone: required; mutual: clients show a certificate too); "
                         "status -o json names the PEM files")
    up.add_argument("--heap", default="512M")
    up.add_argument("--datacenter", default="datacenter1")
    up.add_argument("--set", action="append", default=[], type=_setting, metavar="KEY=VALUE",
                    help="a setting of cassandra.yaml, the value as JSON or text")
    up.add_argument("--jvm", action="append", default=[], metavar="OPTION", help="a further option for Java")
    fresh = up.add_mutually_exclusive_group()
    fresh.add_argument("--fresh", action="store_true", help="kill and delete what is there under this name first")
    fresh.add_argument("--keep", action="store_true", help="go on with the data that is there (the default)")
    down = command("down", "end all nodes and delete their data; with --keep stop them gracefully instead")
    down.add_argument("--keep", action="store_true",
                      help="drain, and keep data and logs: up or restart go on with them")
    command("stop", "stop nodes gracefully and keep their data", node=True)
    command("kill", "end nodes with SIGKILL and keep their data", node=True)
    command("restart", "start nodes that are down, with their data; a node named by --node is stopped first", node=True,
            output=True)
    command("pause", "freeze nodes (SIGSTOP): connections stay open, nothing answers", node=True)
    command("resume", "let paused nodes go on (SIGCONT)", node=True)
    nodetool = command("nodetool", "run Cassandra's nodetool on a node (the first, or --node)", node=True)
    nodetool.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="such as: flush, or compact shop")
    command("status", "tell what runs; without NAME, of all clusters", output=True, optional_name=True)
    return parser
