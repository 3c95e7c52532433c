"""Apache Cassandra as a process: where its jars come from, what it is told, how it is started and stopped.

Its own scripts are not in the Maven artifact, and would put state beside the jars; so the daemon is started directly,
with the flags that conf/jvm17-server.options gives it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from .common import ToolError, cache_dir, file_lock, free_port

# Pinned: results must not change because a mirror has something newer today.
RELEASES = {"4.1": "4.1.9", "5.0": "5.0.5"}
_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"

STORAGE_PORT = 7000
MAIN_CLASS = "org.apache.cassandra.service.CassandraDaemon"
NODETOOL_CLASS = "org.apache.cassandra.tools.NodeTool"

_EXPORTS = """
java.base/java.lang.ref java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/jdk.internal.util
java.base/sun.nio.ch java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry
java.rmi/sun.rmi.server java.sql/java.sql jdk.attach/sun.tools.attach jdk.compiler/com.sun.tools.javac.file
jdk.unsupported/sun.misc
""".split()

_OPENS = """
java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.util
java.base/jdk.internal.loader java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.ref
java.base/jdk.internal.reflect java.base/jdk.internal.util.jar java.base/sun.nio.ch
jdk.compiler/com.sun.tools.javac jdk.management/com.sun.management.internal
""".split()

# 4.1 was written for Java 11, and its jamm walks into whatever a measured object (a stream manager, a prepared
# statement) refers to. On Java 17 each package it meets on the way must be open, or the node dies of the exception.
_OPENS_OF_4_1 = """
java.base/java.lang.invoke java.base/java.lang.ref java.base/java.math java.base/java.net java.base/java.nio
java.base/java.nio.channels java.base/java.nio.charset java.base/java.nio.file java.base/java.security
java.base/java.text java.base/java.time java.base/java.util.concurrent java.base/java.util.concurrent.atomic
java.base/java.util.concurrent.locks java.base/java.util.function java.base/java.util.regex java.base/java.util.stream
java.base/java.util.zip java.base/jdk.internal.misc java.base/sun.net java.base/sun.nio.cs java.base/sun.nio.fs
java.base/sun.security.provider java.base/sun.util.calendar
""".split()


# --- the programs ----------------------------------------------------------------------------------------------------

def find_java() -> Path:
    """A Java 17: Cassandra 5.0.5 does not start on later ones, and 4.1.9 not on 21."""
    candidates = [Path(os.environ["JAVA_HOME"]) / "bin" / "java"] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("java")
    candidates += [Path(on_path)] if on_path else []
    candidates += sorted(Path("/usr/lib/jvm").glob("*17*/bin/java"))
    seen: list[str] = []
    for java in candidates:
        if not java.exists():
            continue
        major = _java_major(java)
        if major == 17:
            return java
        seen.append(f"{java} is Java {major or 'unknown'}")
    what = "; ".join(seen) if seen else "no java found"
    raise ToolError(f"Cassandra needs Java 17 ({what}): install openjdk-17-jdk-headless (tools/setup does), "
                    f"or point JAVA_HOME at one")


def _java_major(java: Path) -> int | None:
    # The release file answers without starting a JVM.
    release = java.resolve().parent.parent / "release"
    with contextlib.suppress(OSError):
        if found := re.search(r'JAVA_VERSION="(\d+)', release.read_text()):
            return int(found[1])
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', shown)
    return int(found[1]) if found else None


def fetch(version: str) -> Path:
    """The directory with Cassandra's jars, downloaded on first use. Two processes may ask at once: one downloads, the
    other waits; a download that was cut short leaves nothing that looks finished, since the directory is renamed."""
    release = RELEASES[version]
    root = cache_dir() / "cassandra"
    lib = root / release / "lib"
    if lib.is_dir():
        return lib
    with file_lock(root / f"{release}.lock"):
        if lib.is_dir():
            return lib
        mvn = shutil.which("mvn")
        if mvn is None:
            raise ToolError(f"Cassandra {release} is not in {root} yet and mvn, which downloads it, is missing: "
                            f"install maven (tools/setup does)")
        work = Path(tempfile.mkdtemp(prefix=f"{release}.", dir=root))
        try:
            (work / "pom.xml").write_text(_POM.format(release=escape(release)))
            command = [mvn, "-B", "-q", "--strict-checksums", "-Dstyle.color=never",
                       f"{_DEPENDENCY_PLUGIN}:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"]
            done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
            if done.returncode != 0 or not (work / "lib" / f"cassandra-all-{release}.jar").exists():
                raise ToolError(f"Maven could not download org.apache.cassandra:cassandra-all:{release} (exit "
                                f"{done.returncode}); check the network and ~/.m2/settings.xml. Its last lines:\n"
                                + _last_lines(done.stdout + done.stderr, 15))
            work.chmod(0o755)
            work.rename(root / release)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return lib


_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>penumbra</groupId>
  <artifactId>cassandra</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.cassandra</groupId>
      <artifactId>cassandra-all</artifactId>
      <version>{release}</version>
    </dependency>
  </dependencies>
</project>
"""


def _last_lines(text: str, count: int) -> str:
    return "\n".join("    " + line for line in text.strip().splitlines()[-count:])


# --- one node --------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class NodeSpec:
    """All that one node of a cluster is told. Lives in the cluster's state file."""

    cluster: str
    version: str
    number: int           # from 1
    address: str
    port: int
    seed: str
    heap: str
    datacenter: str
    auth: bool
    tls: str              # "off", "optional", "required", "mutual"
    settings: dict[str, object]
    jvm: list[str]
    home: Path            # this node's directory
    tls_dir: Path

    @property
    def log(self) -> Path:
        return self.home / "logs" / "system.log"


class Node:
    """A node's process, found again by what is on disk: no state is held between two commands."""

    def __init__(self, spec: NodeSpec) -> None:
        self.spec = spec
        self._pid_file = spec.home / "pid.json"

    # Pids are reused, also by another node of ours: a pid is this node's only when the process started when we said it
    # did and carries this node's directory on its command line.
    @property
    def pid(self) -> int | None:
        try:
            saved = json.loads(self._pid_file.read_text())
        except (OSError, ValueError):
            return None
        pid = int(saved["pid"])
        if _started(pid) != saved["started"]:
            return None
        try:
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        return pid if self._mark().encode() in argv else None

    @property
    def jmx_port(self) -> int | None:
        try:
            return int(json.loads(self._pid_file.read_text())["jmx_port"])
        except (OSError, ValueError, KeyError):
            return None

    @property
    def paused(self) -> bool:
        pid = self.pid
        return pid is not None and _process_state(pid) in "tT"

    def _mark(self) -> str:
        return f"-Dpenumbra.node={self.spec.home}"

    def start(self, lib: Path, java: Path) -> None:
        """Starts the process and returns at once: `died` and the probe tell the rest."""
        spec = self.spec
        conf = spec.home / "conf"
        for directory in (conf, spec.home / "data", spec.home / "logs", spec.home / "tmp"):
            directory.mkdir(parents=True, exist_ok=True)
        # YAML reads JSON, and the standard library writes it.
        (conf / "cassandra.yaml").write_text(json.dumps(self._yaml(), indent=2) + "\n")
        (conf / "cassandra-rackdc.properties").write_text(f"dc={spec.datacenter}\nrack=rack1\n")
        (conf / "logback.xml").write_text(_LOGBACK.format(log=escape(str(spec.log))))
        jmx_port = free_port("127.0.0.1")
        # Last time's death must not be taken for this one's.
        self.spec.log.unlink(missing_ok=True)
        with open(spec.home / "logs" / "console.log", "wb") as console:
            process = subprocess.Popen(self._command(java, lib, conf, jmx_port), stdin=subprocess.DEVNULL,
                                       stdout=console, stderr=console, cwd=spec.home, start_new_session=True)
        temporary = self._pid_file.with_suffix(".new")
        temporary.write_text(json.dumps(
            {"pid": process.pid, "started": _started(process.pid), "jmx_port": jmx_port}))
        temporary.rename(self._pid_file)
        # Reaped here if it dies while this command runs, by init afterwards.
        self._process = process

    def died(self) -> str | None:
        """Why the node that `start` started is gone, with the end of its log; None while it lives."""
        process = self._process
        if process.poll() is None:
            return None
        console = self.spec.home / "logs" / "console.log"
        shown = ""
        for path in (self.spec.log, console):
            with contextlib.suppress(OSError):
                text = path.read_text(errors="replace")
                if not text.strip():
                    continue
                # What the node complained of, then how it ended: its shutdown writes pages after the reason.
                complaints = "\n".join(line for line in text.splitlines() if line.startswith("ERROR"))
                if complaints:
                    shown += f"\n  errors in {path}:\n{_last_lines(complaints, 5)}"
                shown += f"\n  end of {path}:\n{_last_lines(text, 8)}"
        how = f"killed by signal {-process.returncode}" if process.returncode < 0 else f"exit {process.returncode}"
        return f"{how}{shown}"

    def signal(self, number: signal.Signals) -> bool:
        """False when there is no such process any more."""
        pid = self.pid
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait_gone(self, timeout: float) -> bool:
        """Waits for the process to end, woken by the kernel rather than by a clock."""
        # A process that is being killed loses its command line, and its first thread, while the others still hold its ports:
        # `pid` no longer knows it then, its start time still does.
        try:
            saved = json.loads(self._pid_file.read_text())
            handle = os.pidfd_open(int(saved["pid"]))
        except (OSError, ValueError):
            return True
        try:
            if _started(int(saved["pid"]), dying=True) != saved["started"]:
                return True
            readable, _, _ = select.select([handle], [], [], timeout)
            if readable and hasattr(self, "_process"):
                self._process.wait()
            return bool(readable)
        finally:
            os.close(handle)

    def forget(self) -> None:
        self._pid_file.unlink(missing_ok=True)

    def nodetool(self, lib: Path, java: Path, arguments: list[str]) -> int:
        if self.pid is None:
            raise ToolError(f"node {self.spec.number} of {self.spec.cluster} is not running: "
                            f"start it with tools/cluster restart {self.spec.cluster}")
        command = [str(java), "-Xmx96m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                   *_jpms(self.spec.version), "-Dcassandra.storagedir=" + str(self.spec.home / "data"),
                   f"-Dlogback.configurationFile={self.spec.home / 'conf' / 'nodetool-logback.xml'}",
                   "-cp", f"{self.spec.home / 'conf'}:{lib}/*", NODETOOL_CLASS,
                   "-h", "127.0.0.1", "-p", str(self.jmx_port), *arguments]
        (self.spec.home / "conf" / "nodetool-logback.xml").write_text(_LOGBACK_QUIET)
        return subprocess.run(command, check=False).returncode

    # --- what it is told ---

    def _command(self, java: Path, lib: Path, conf: Path, jmx_port: int) -> list[str]:
        spec = self.spec
        jamm = next(iter(sorted(lib.glob("jamm-*.jar"))), None)
        if jamm is None:
            raise ToolError(f"{lib} holds no jamm-*.jar, without which Cassandra cannot size its memtables: "
                            f"remove {lib.parent} and try again, it is downloaded anew")
        command = [
            str(java), self._mark(), f"-javaagent:{jamm}", f"-Xms{spec.heap}", f"-Xmx{spec.heap}", "-Xss256k",
            "-XX:+UseG1GC", "-XX:+ParallelRefProcEnabled", "-XX:MaxGCPauseMillis=300", "-XX:+ExitOnOutOfMemoryError",
            "-XX:+PerfDisableSharedMem", "-Djdk.attach.allowAttachSelf=true",
            "-Dio.netty.tryReflectionSetAccessible=true", "-Djava.net.preferIPv4Stack=true",
            *_jpms(spec.version),
            f"-Djava.io.tmpdir={spec.home / 'tmp'}",
            f"-Dcassandra.config=file://{conf / 'cassandra.yaml'}",
            f"-Dcassandra.storagedir={spec.home / 'data'}",
            f"-Dcassandra.logdir={spec.home / 'logs'}",
            f"-Dlogback.configurationFile=file://{conf / 'logback.xml'}",
            f"-Dcassandra.jmx.local.port={jmx_port}",
            # Waits that guard large rings against slow gossip. Nodes here join one after the other on one machine, and
            # `up` checks from every node that it reaches every other. A node that joins still needs a few rounds of
            # gossip, one a second, to hear of its seed.
            f"-Dcassandra.ring_delay_ms={100 if spec.address == spec.seed else 4000}",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.superuser_setup_delay_ms=0",
        ]
        if spec.version == "4.1":
            # It installs a security manager for user-defined functions; Java 17 refuses that unless told.
            command.append("-Djava.security.manager=allow")
        return [*command, *spec.jvm, "-cp", f"{conf}:{lib}/*", MAIN_CLASS]

    def _yaml(self) -> dict[str, object]:
        spec = self.spec
        yaml: dict[str, object] = {
            "cluster_name": spec.cluster,
            "num_tokens": 8,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "GossipingPropertyFileSnitch",
            "seed_provider": [{
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": f"{spec.seed}:{STORAGE_PORT}"}],
            }],
            "listen_address": spec.address,
            "storage_port": STORAGE_PORT,
            "rpc_address": spec.address,
            "native_transport_port": spec.port,
            "start_native_transport": True,
            "commitlog_sync": "periodic",
            "commitlog_sync_period": "10000ms",
            "hinted_handoff_enabled": True,
            "materialized_views_enabled": True,
            "user_defined_functions_enabled": True,
            # Dropping a table in a test should not leave a snapshot behind, nor wait for one.
            "auto_snapshot": False,
            # Small, for two clusters and a build on one machine.
            "memtable_heap_space": "64MiB",
            "memtable_offheap_space": "64MiB",
            "commitlog_total_space": "256MiB",
            "key_cache_size": "8MiB",
            "counter_cache_size": "4MiB",
            "row_cache_size": "0MiB",
            "file_cache_size": "32MiB",
            # By default a 256th of the heap, at least 10 MiB. Where thousands of statements are in use, a server with a full cache
            # forgets a new one as soon as it is prepared, and again, until nobody gets further.
            "prepared_statements_cache_size": "48MiB",
            "concurrent_compactors": 1,
            "native_transport_max_threads": 32,
            # A machine that is busy compiling must show up as a long wait, not as a failed request. Cassandra's own
            # defaults (2 s for a write) are for machines of their own.
            "read_request_timeout": "10s",
            "range_request_timeout": "15s",
            "write_request_timeout": "10s",
            "counter_write_request_timeout": "10s",
            "cas_contention_timeout": "10s",
        }
        if spec.auth:
            yaml |= {"authenticator": "PasswordAuthenticator", "authorizer": "CassandraAuthorizer",
                     "role_manager": "CassandraRoleManager"}
        if spec.tls != "off":
            yaml["client_encryption_options"] = {
                "enabled": True,
                "optional": spec.tls == "optional",
                "keystore": str(spec.tls_dir / "server.p12"),
                "keystore_password": "penumbra",
                "truststore": str(spec.tls_dir / "trust.p12"),
                "truststore_password": "penumbra",
                "store_type": "PKCS12",
                "require_client_auth": spec.tls == "mutual",
            }
        return yaml | spec.settings


def _jpms(version: str) -> list[str]:
    opens = _OPENS + (_OPENS_OF_4_1 if version == "4.1" else [])
    return [word for module in _EXPORTS for word in ("--add-exports", f"{module}=ALL-UNNAMED")] + [
        word for module in opens for word in ("--add-opens", f"{module}=ALL-UNNAMED")]


def _started(pid: int, dying: bool = False) -> str | None:
    """When the process started, in clock ticks since this boot; None when there is none or (unless `dying`) a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # The command name may itself hold blanks and parentheses.
    return None if fields[0] in "ZX" and not dying else f"{boot}/{fields[19]}"


def _process_state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


_LOGBACK = """<configuration>
  <appender name="FILE" class="ch.qos.logback.core.rolling.RollingFileAppender">
    <file>{log}</file>
    <rollingPolicy class="ch.qos.logback.core.rolling.FixedWindowRollingPolicy">
      <fileNamePattern>{log}.%i</fileNamePattern>
      <minIndex>1</minIndex>
      <maxIndex>3</maxIndex>
    </rollingPolicy>
    <triggeringPolicy class="ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy">
      <maxFileSize>20MB</maxFileSize>
    </triggeringPolicy>
    <encoder><pattern>%-5level [%thread] %date{{ISO8601}} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE"/></root>
</configuration>
"""

_LOGBACK_QUIET = """<configuration><root level="OFF"/></configuration>
"""


def wait_until(condition, why, died, timeout: float, what: str) -> None:
    """Polls `condition` (it raises NotReady or returns) until it holds; gives up when the process died or time is up.

    There is nothing to wait on for "CQL answers": asking is the condition, and the pause only keeps it polite."""
    deadline = time.monotonic() + timeout
    while True:
        if (reason := died()) is not None:
            raise ToolError(f"{what} ended before it was ready: {reason}")
        try:
            return condition()
        except why as error:
            if time.monotonic() > deadline:
                raise ToolError(f"{what} was not ready within {timeout:.0f} s: {error}") from None
        time.sleep(0.1)
