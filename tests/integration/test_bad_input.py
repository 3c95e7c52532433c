"""What nobody should send, and what nobody can start from: each gets an error that names the thing and the remedy, and
a server that runs goes on serving."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import support
from support import PENUMBRA_ADDRESS, SHARED_PENUMBRA_ADDRESS, Penumbra, binary, eventually

OPTIONS, STARTUP, QUERY = 0x05, 0x01, 0x07
NOWHERE = "127.0.21.77:9042"       # Nobody listens there.


# --- on the wire -----------------------------------------------------------------------------------------------------

def frame(opcode: int, body: bytes = b"", *, version: int = 4, stream: int = 0, flags: int = 0,
          length: int | None = None) -> bytes:
    return struct.pack(">BBhBi", version, flags, stream, opcode, len(body) if length is None else length) + body


STARTED = frame(STARTUP, struct.pack(">H", 1) + struct.pack(">H", 11) + b"CQL_VERSION" + struct.pack(">H", 5) + b"3.0.0")


def query(text: bytes, stream: int = 0) -> bytes:
    return frame(QUERY, struct.pack(">i", len(text)) + text + struct.pack(">HB", 1, 0), stream=stream)


def dial(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=15)


def send(address: str, data: bytes, *, wait: bool = True) -> bytes:
    """Sends, says that no more comes, and returns all that is answered until the other side closes too."""
    with dial(address) as connection:
        try:
            connection.sendall(data)
            if not wait:
                return b""
            try:
                connection.shutdown(socket.SHUT_WR)
            except OSError as error:      # The other side was quicker.
                if error.errno != errno.ENOTCONN:
                    raise
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer
        except (ConnectionResetError, BrokenPipeError):
            return b""


def exchange(address: str, *frames: bytes) -> list[tuple[int, int, bytes]]:
    """(opcode, stream, body) of one answer for each frame."""
    answers = []
    with dial(address) as connection:
        for each in frames:
            connection.sendall(each)
            head = _exactly(connection, 9)
            _, _, stream, opcode, length = struct.unpack(">BBhBi", head)
            answers.append((opcode, stream, _exactly(connection, length)))
    return answers


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, f"closed after {len(data)} of {size} bytes"
        data += piece
    return data


def is_error(answer: tuple[int, int, bytes], code: int) -> bool:
    return answer[0] == 0x00 and struct.unpack(">i", answer[2][:4])[0] == code


def assert_serves(process: Penumbra) -> None:
    assert process.running(), process.log_tail()
    options, ready, rows = exchange(process.contact_point, frame(OPTIONS), STARTED, query(b"SELECT key FROM system.local"))
    assert options[0] == 0x06 and ready[0] == 0x02 and rows[0] == 0x08
    assert process.http("GET", "/v1/status")[0] == 200


def descriptors(process: Penumbra) -> int:
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def memory_kib(process: Penumbra) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def rubbish(seed: int) -> Iterator[bytes]:
    """Bytes that are no request, and requests that are nearly right."""
    rng = random.Random(seed)
    yield b""
    yield b"\x00"
    yield b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(300)      # A TLS client.
    yield frame(OPTIONS)[:5]
    yield STARTED[:-3]
    yield frame(OPTIONS, length=-1)
    yield frame(OPTIONS, length=2**31 - 1)
    yield frame(QUERY, length=200 << 20) + b"x" * 1000
    for version in (0, 1, 2, 5, 6, 66, 127, 128, 132, 255):
        yield frame(OPTIONS, version=version)
    for opcode in range(256):
        yield STARTED + frame(opcode, rng.randbytes(rng.randrange(40)))
    for _ in range(150):
        yield rng.randbytes(rng.randrange(1, 400))
        yield STARTED + rng.randbytes(rng.randrange(1, 400))
        # A header that is right, and a body that is not.
        yield STARTED + frame(rng.choice((1, 5, 7, 9, 10, 11, 13, 15)), rng.randbytes(rng.randrange(100)),
                              flags=rng.choice((0, 1, 2, 4, 8, 255)), version=rng.choice((3, 4)))
    good = bytearray(STARTED + query(b"SELECT * FROM system.local") + frame(OPTIONS))
    for _ in range(150):
        spoilt = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        yield bytes(spoilt)
    yield STARTED + query(b"\xff\xfe\x00" * 50)
    yield STARTED + query(b"(" * 60_000)
    yield STARTED + query(b"SELECT " + b"'" * 9999)


def test_rubbish_on_the_client_port(front: Penumbra) -> None:
    assert_serves(front)
    for data in rubbish(1):      # Once, so that what is kept for later is there before it is measured.
        send(front.contact_point, data)
    eventually(lambda: front.status()["clients"]["connections"] == 0, "those clients are gone")
    before = descriptors(front), memory_kib(front)
    for round_ in range(3):
        for data in rubbish(round_ + 2):
            send(front.contact_point, data)
    for data in rubbish(9):
        send(front.contact_point, data, wait=False)
    eventually(lambda: front.status()["clients"]["connections"] == 0, "those clients are gone")
    eventually(lambda: descriptors(front) <= before[0] + 2, "their descriptors are closed")
    assert memory_kib(front) < before[1] + 32 * 1024
    # What both clusters refused is owed to nobody.
    front.settled()
    assert front.status()["journal"]["set_aside"] == 0
    assert_serves(front)


def test_a_client_that_says_nothing_harms_nobody(front: Penumbra) -> None:
    silent = [dial(front.contact_point) for _ in range(200)]
    half = [dial(front.contact_point) for _ in range(50)]
    for connection in half:
        connection.sendall(STARTED[:20])
    assert_serves(front)
    for connection in silent + half:
        connection.close()
    eventually(lambda: front.status()["clients"]["connections"] == 0, "those clients are gone")


def test_protocol_errors_say_what_is_wrong(front: Penumbra) -> None:
    address = front.contact_point
    # Version 6: refused in words that make a driver try an older one.
    (answer,) = exchange(address, frame(OPTIONS, version=6))
    assert is_error(answer, 0x000A) and b"unsupported protocol version" in answer[2].lower()
    # A query before STARTUP.
    (answer,) = exchange(address, query(b"SELECT * FROM system.local", stream=77))
    assert is_error(answer, 0x000A) and answer[1] == 77
    # A frame longer than --max-frame is refused by its header: nobody waits for all of it.
    started, answer = exchange(address, STARTED, frame(QUERY, b"x", stream=5, length=100 << 20))
    assert answer[0] == 0x00 and answer[1] == 5, answer
    assert b"max-frame" in answer[2] or b"16" in answer[2], answer
    # A body that ends early leaves the connection usable.
    _, answer, rows = exchange(address, STARTED, frame(QUERY, struct.pack(">i", 1000) + b"SELECT", stream=6),
                               query(b"SELECT key FROM system.local", stream=7))
    assert is_error(answer, 0x000A) and answer[1] == 6
    assert rows[0] == 0x08 and rows[1] == 7


def test_rubbish_on_the_admin_port(front: Penumbra) -> None:
    rng = random.Random(3)
    before = descriptors(front)
    pieces = [b"", b"\x00" * 100, STARTED, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
              b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
              b"POST /v1/migrations HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\nx",
              b"POST /v1/migrations HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
              b"POST /v1/migrations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]
    for data in pieces + [rng.randbytes(rng.randrange(1, 2000)) for _ in range(100)]:
        send(front.admin, data)
        send(front.admin, data, wait=False)
    eventually(lambda: descriptors(front) <= before + 2, "their descriptors are closed")
    assert_serves(front)


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("GET", "/", None, 404), ("GET", "/v1/nothing", None, 404), ("DELETE", "/v1/status", None, 404),
    ("GET", "/v1/migrations/none", None, 404), ("GET", "/v1/jobs/x", None, 404), ("GET", "/v1/jobs/99999", None, 404),
    ("POST", "/v1/migrations", {}, 400), ("POST", "/v1/migrations", {"name": ""}, 400),
    ("POST", "/v1/migrations", {"name": "x", "tenants": "not a list"}, 400),
    ("POST", "/v1/migrations", {"name": "x", "tenants": ["a"], "surprise": 1}, 400),
    ("POST", "/v1/migrations", [1, 2], 400),
    ("POST", "/v1/migrations/none/switch", {"to": "shadow_sync"}, 404),
    ("POST", "/v1/migrations/none/switch", {"to": "elsewhere"}, 400),
    ("GET", "/v1/../../etc/passwd", None, 404), ("GET", "/v1/migrations/%00", None, 404),
])
def test_admin_requests_that_are_wrong(front: Penumbra, method, path, body, status) -> None:
    code, told = front.http(method, path, body)
    assert code == status, told
    assert told["error"]["code"] and told["error"]["message"], told
    assert front.status()["migrations"] == []


# --- starting --------------------------------------------------------------------------------------------------------

Serve = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def serve(tmp_path: Path, source, target) -> Serve:
    """Runs `penumbra serve` with flags that work but for those given (None leaves one out). It has to end by itself."""
    def run(*more: str, within: float = 10.0, **flags: str | None) -> subprocess.CompletedProcess[str]:
        given = {"source": source.contact_point, "target": target.contact_point, "listen": f"{PENUMBRA_ADDRESS}:9042",
                 "admin": f"{PENUMBRA_ADDRESS}:8080", "state": str(tmp_path / "state"), **flags}
        command = [str(binary()), "serve", *more]
        for name, value in given.items():
            if value is not None:
                command += ["--" + name.replace("_", "-"), value]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=within)
    return run


def says(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    last = last_word(done)
    for word in words:
        assert word in last, done.stderr


def last_word(done: subprocess.CompletedProcess[str]) -> str:
    """The line for the person who started it, which is not one of the log."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("penumbra")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_flags_that_are_wrong(serve: Serve) -> None:
    says(serve(source=None), 2, "missing: --source")
    says(serve(source=None, state=None), 2, "--source", "--state", "--config")
    says(serve("--tenant_colum", "x"), 2, "unknown flag --tenant_colum", "did you mean --tenant-column?")
    says(serve("--phase", "shadowy"), 2, "--phase", "shadowy", "shadow_async", "shadow_sync")
    says(serve("--request-timeout", "soon"), 2, "--request-timeout", "soon")
    says(serve("--shards", "-1"), 2, "--shards", "-1")
    says(serve("--shards", "1000"), 2, "--shards", "256")
    says(serve("stray"), 2, "stray")
    says(serve("--config"), 2, "--config")
    says(serve("--memory-budget", "32MiB", "--shards", "2"), 1, "--memory-budget 32MiB is 14MiB for each of 2 shards",
         "--max-frame 16MiB", "give 183MiB or more")


def test_files_that_are_wrong(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "penumbra.yaml"

    def with_file(text: str) -> subprocess.CompletedProcess[str]:
        file.write_text(text)
        return serve("--config", str(file))
    says(with_file("log-level: info\n\ntenant-colunm: x\n"), 2, f"{file}:3", "tenant-colunm", "did you mean 'tenant-column'?")
    says(with_file("- a\n- b\n"), 2, str(file), "name: value")
    says(with_file("just words"), 2, str(file), "name: value")
    says(with_file("a: [1, 2\nb: }"), 2, f"{file}:", "not YAML")
    says(with_file("phase: nowhere\n"), 2, f"{file}:1", "phase", "nowhere", "source_only")
    says(with_file("shards: 1\nshards: 2\n"), 2, f"{file}:2", "shards", "line 1")
    says(serve("--config", str(tmp_path / "none.yaml")), 2, "none.yaml", "No such file")
    file.write_bytes(random.Random(1).randbytes(4000))
    assert serve("--config", str(file)).returncode == 2


def test_flags_win_over_the_file(penumbra, tmp_path: Path) -> None:
    file = tmp_path / "penumbra.yaml"
    file.write_text("phase: shadow_async\nrequest-timeout: 3s\nsource: 127.0.21.77:9042\ntenant-column: who\n")
    process = penumbra("--config", str(file), "--phase", "shadow_sync")
    assert process.status()["default_phase"] == "shadow_sync"
    settings = {one["name"]: one for one in process.http("GET", "/v1/settings")[1]["settings"]}
    assert (settings["phase"]["value"], settings["phase"]["from"]) == ("shadow_sync", "--phase")
    assert settings["source"]["from"] == "--source"
    assert (settings["request-timeout"]["value"], settings["request-timeout"]["from"]) == ("3s", f"{file}:2")
    assert settings["tenant-column"]["value"] == "who"
    assert settings["hold-timeout"]["from"] == "default"


@pytest.mark.parametrize("flag", ["source", "target", "listen", "admin"])
def test_an_address_that_is_none(serve: Serve, flag: str) -> None:
    for text in ("nonsense:port", "127.0.0.1:99999", "127.0.0.1:x", ":9042", ""):
        done = serve(**{flag: text})
        assert done.returncode in (1, 2), done.stderr
        assert f"--{flag}" in last_word(done), done.stderr
    if flag in ("source", "target"):      # The others take port 0 as any that is free.
        says(serve(**{flag: "127.0.0.1:0"}), 1, f"--{flag}", "port 0")


@pytest.mark.parametrize("flag", ["listen", "admin"])
def test_a_port_that_is_taken(serve: Serve, flag: str) -> None:
    with socket.socket() as taken:
        taken.bind((PENUMBRA_ADDRESS, 7777))
        taken.listen()
        done = serve(**{flag: f"{PENUMBRA_ADDRESS}:7777"})
    says(done, 1, f"--{flag}", f"{PENUMBRA_ADDRESS}:7777", "nother program")


@pytest.mark.parametrize("flag", ["listen", "admin"])
def test_an_address_of_another_machine(serve: Serve, flag: str) -> None:
    says(serve(**{flag: "192.0.2.1:9042"}), 1, f"--{flag}", "192.0.2.1:9042")


def test_another_penumbra_on_the_same_port(serve: Serve, front: Penumbra) -> None:
    """SO_REUSEPORT lets the kernel share a port; two Penumbras must not share their clients."""
    says(serve(listen=front.contact_point), 1, "--listen", front.contact_point, "nother program")
    says(serve(admin=front.admin), 1, "--admin", front.admin, "nother program")
    assert_serves(front)


def test_a_state_directory_in_use(serve: Serve, front: Penumbra) -> None:
    says(serve(state=str(front.state)), 1, str(front.state), f"{front.pid}", "--state")
    assert_serves(front)


def test_a_state_directory_that_cannot_be(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_text("")
    says(serve(state=str(file)), 1, str(file))
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("state.db", "penumbra.db", "state.sqlite"):
        (broken / name).write_bytes(b"this is no database" * 1000)
    done = serve(state=str(broken))
    says(done, 1, str(broken))


def test_a_source_that_is_not_there(serve: Serve) -> None:
    begin = time.monotonic()
    says(serve("--start-timeout", "2s", source=NOWHERE), 1, "--source", NOWHERE)
    assert time.monotonic() - begin < 6
    says(serve("--start-timeout", "2s", source="no-such-host.invalid:9042"), 1, "--source", "no-such-host.invalid")


def test_a_source_that_is_no_cluster(serve: Serve, front: Penumbra) -> None:
    """An HTTP server, and one that never answers."""
    says(serve("--start-timeout", "2s", source=front.admin), 1, "--source", front.admin)
    with socket.socket() as silent:
        silent.bind((PENUMBRA_ADDRESS, 7777))
        silent.listen()
        says(serve("--start-timeout", "2s", source=f"{PENUMBRA_ADDRESS}:7777"), 1, "--source", f"{PENUMBRA_ADDRESS}:7777")


def test_clusters_that_are_not_those_of_before(serve: Serve, penumbra, source, target) -> None:
    says(serve(target=source.contact_point), 1, "source and target are two clusters")
    process = penumbra()
    assert sorted(line.split()[0] for line in (process.state / "clusters").read_text().splitlines()
                  if not line.startswith("#")) == ["source", "target"]
    process.stop()
    done = serve(source=target.contact_point, target=source.contact_point, state=str(process.state))
    says(done, 1, "source and target are two clusters", target.contact_point)
    clusters = process.state / "clusters"
    clusters.write_text("".join(line[:-13] + "000000000000\n" if line.startswith("target") else line
                                for line in clusters.read_text().splitlines(keepends=True)))
    says(serve(state=str(process.state)), 1, "--target", "another cluster than before", target.contact_point,
         str(clusters))


def test_a_target_that_is_not_there(penumbra, connect, source, keyspace) -> None:
    """The application has its source; no migration begins until the target is there."""
    process = penumbra("--start-timeout", "1s", target=type(source)("none", "5.0", NOWHERE), start=False)
    process.start(within=10)
    direct = connect(source)
    direct.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    direct.execute(f"CREATE TABLE {keyspace}.t (system_domain_id uuid PRIMARY KEY, v int)", timeout=60)
    session = connect(process)
    tenant = uuid.uuid4()
    session.execute(f"INSERT INTO {keyspace}.t (system_domain_id, v) VALUES ({tenant}, 1)")
    assert session.execute(f"SELECT v FROM {keyspace}.t WHERE system_domain_id = {tenant}").one().v == 1
    assert process.status()["clusters"]["target"]["nodes_up"] == 0
    process.cli("migration", "create", "acme", "--tenant", str(tenant), "-o", "json")
    code, told = process.http("POST", "/v1/migrations/acme/switch", {"to": "shadow_async"})
    assert code == 409, told
    closed = [gate for gate in told["gates"] if not gate["passed"]]
    assert "clusters_reachable" in {gate["gate"] for gate in closed}


# --- the command line ------------------------------------------------------------------------------------------------

def cli(*arguments: str, admin: str = f"{SHARED_PENUMBRA_ADDRESS}:8080") -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary()), *arguments], capture_output=True, text=True, check=False, timeout=30,
                          env={**os.environ, "PENUMBRA_ADMIN": admin})


def test_nobody_answers_at_the_admin_address() -> None:
    for admin in (f"{PENUMBRA_ADDRESS}:7777", "no-such-host.invalid:1"):
        done = cli("status", admin=admin)
        assert done.returncode == 3, done.stderr
        assert admin in done.stderr and "--admin" in done.stderr, done.stderr


@pytest.mark.parametrize("arguments", [
    ["no-such-verb"], ["switch"], ["switch", "acme"], ["switch", "acme", "--to"], ["switch", "acme", "--to", "elsewhere"],
    ["status", "extra"], ["status", "-o", "xml"], ["status", "--no-such-flag"], ["migration"], ["migration", "create"],
    ["verify"], ["switch", "acme", "--to", "shadow_sync", "--force"],
])
def test_wrong_usage(front: Penumbra, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stderr.strip() and not done.stdout.strip()


def test_a_migration_that_nobody_knows(front: Penumbra) -> None:
    for verb in (["migration", "show"], ["switch", "--to", "shadow_async"], ["copy"], ["verify"], ["reverse"],
                 ["complete"], ["cancel"]):
        done = cli(*verb, "ghost") if verb[0] != "switch" else cli("switch", "ghost", *verb[1:])
        assert done.returncode == 1 and "ghost" in done.stderr, (verb, done.stderr)
        done = cli(*verb, "ghost", "-o", "json")
        assert json.loads(done.stdout)["error"]["code"] == "not_found"


# --- ending ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_when_told(penumbra, how: signal.Signals) -> None:
    process = penumbra()
    idle = dial(process.contact_point)
    idle.sendall(STARTED)
    begin = time.monotonic()
    os.kill(process.pid, how)
    eventually(lambda: not process.running(), f"it ended after {how.name}", within=10)
    assert time.monotonic() - begin < 10
    idle.close()
    process.start()
    assert_serves(process)
