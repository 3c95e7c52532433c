"""What bench/run measures besides CPU a request: memory, two shards, single steps, the tail."""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from busy_clients import BusyClients
from figures import Results, cpu
from idle_clients import IdleClients, resident_mib
from stand import Bench, CannotMeasure, program

IDLE_CLIENTS = 10_000
BUSY_CLIENTS = 1_000
BUDGET_MIB = 128
BIG_VALUE = 16 * 1024
STALL_SECONDS = 10
FLAT_MICROS = 5000.0  # p99.9 without a proxy above which a tail says nothing of one
TAIL_SECONDS = 1.0  # of each measurement at half rate
TAIL_ROUNDS = 9
SHARD_PAIRS = 7  # two shards on one core vary more than anything else here
OPEN_LOOP = "16x128"  # as many connections as 16x16; an open loop must not wait for a free stream
PARSING = "parsing/"


def measure_idle(bench: Bench, results: Results) -> None:
    penumbra = bench.penumbras["penumbra"]
    before = resident_mib(penumbra.pid)
    clients = IdleClients(penumbra.address, IDLE_CLIENTS)
    idle = resident_mib(penumbra.pid)
    # Idle after work: what a buffer grew to then must not stay with each of them.
    clients.ask("SELECT key FROM system.local", 32)
    after = resident_mib(penumbra.pid)
    clients.close()
    results.note(f"memory: {before:.1f} MiB without clients, {idle:.1f} with {IDLE_CLIENTS} idle ones, {after:.1f} after "
                 "each asked 32 times at once")
    results.single["MiB with 10,000 idle clients", "read"] = max(idle, after)


def measure_busy(args: argparse.Namespace, bench: Bench, results: Results) -> None:
    """A Penumbra with a small budget, before servers with large values, and everybody who may make it grow."""
    net, port = args.network, args.port
    bench.start_null_server("big-source", f"{net}.4:{port}", BIG_VALUE)
    bench.start_null_server("big-target", f"{net}.5:{port}", BIG_VALUE)
    penumbra = bench.start_penumbra("bounded", 10, bench.processes.directory / "bounded", "--memory-budget",
                                    f"{BUDGET_MIB}MiB", "--journal.quota", "512MiB", source=f"{net}.4:{port}",
                                    target=f"{net}.5:{port}")
    steps = []

    def step(what: str) -> None:
        steps.append(f"{resident_mib(penumbra.pid):.0f} {what}")

    step("at the start")
    crowd = bench.start_load("source_only", "read", f"{BUSY_CLIENTS}x8", penumbra="bounded", duration=4)
    busy = bench.finish_load(crowd)
    step(f"after {BUSY_CLIENTS} clients with 8 requests each in flight")
    select = "SELECT value FROM bench.rows WHERE system_domain_id = 00000000-0000-4000-8000-000000000001 AND id = 1"
    slow = BusyClients(penumbra.address, BUSY_CLIENTS)
    slow.ask_and_not_read(select, 500)
    time.sleep(3)  # what a proxy grows to in that time is the figure; nobody says when it has stopped
    step(f"with {BUSY_CLIENTS} that have asked 500 times for {BIG_VALUE >> 10} KiB and do not read")
    slow.close()
    begun = BusyClients(penumbra.address, 200)
    begun.begin_frames(15 << 20, 1 << 20)
    time.sleep(1)  # the same
    step("with 200 that have begun a frame of 15 MiB and stopped")
    begun.close()
    huge = BusyClients(penumbra.address, 4)
    huge.send_whole_frames(256 << 20)
    step("after 4 frames of 256 MiB")
    huge.close()
    target = bench.processes.named["big-target"]
    for size in (args.value_size, BIG_VALUE):
        writes = bench.start_load("shadow_async", "write", "64x32", penumbra="bounded", duration=4, value_size=size)
        time.sleep(args.warmup + 0.5)  # the load has begun to be measured: the shadow stops in the middle of it
        target.send_signal(signal.SIGSTOP)
        try:
            bench.finish_load(writes)
        finally:
            target.send_signal(signal.SIGCONT)
        step(f"after 4 s of writes of {size} bytes with the shadow stopped")
    peak = resident_mib(penumbra.pid, "VmHWM")
    overloaded = penumbra.metric("penumbra_requests_overloaded_total")
    results.note(f"memory with a budget of {BUDGET_MIB} MiB: {', '.join(steps)}; {peak:.0f} MiB at most; "
                 f"{overloaded:.0f} times OVERLOADED")
    results.single["MiB over the memory budget", "mixed"] = peak - BUDGET_MIB
    if busy["errors"] or busy["unanswered"]:
        raise CannotMeasure(f"{BUSY_CLIENTS} busy clients: {busy['errors']}, {busy['unanswered']} unanswered")


def measure_memory(args: argparse.Namespace, bench: Bench, results: Results) -> None:
    measure_idle(bench, results)
    measure_busy(args, bench, results)


def measure_shards(args: argparse.Namespace, bench: Bench, results: Results) -> None:
    """With four cores two shards have one each, and what they carry is counted. With fewer that would measure the
    generator: both runs share the proxy's core, and what counts is what a request costs of it. Two cores carry twice as
    much, unless a request costs more because there are two shards. So that only this is seen, both have the same
    requests in flight then: twice as many would share that core's caches, of which two cores have two."""
    pinning = bench.processes.pinning
    cores = sorted(os.sched_getaffinity(0))
    own_cores = len(cores) >= 4
    one, two = (cores[-1:], cores[-2:]) if own_cores else (pinning.proxy, pinning.proxy)
    state = bench.processes.directory
    bench.start_penumbra("one-shard", 11, state / "one-shard", shards=1, cores=one)
    bench.start_penumbra("two-shards", 12, state / "two-shards", shards=2, cores=two)
    for phase, operation in (("source_only", "read"), ("shadow_sync", "write")):
        # With cores of their own each shard has the clients that the one had.
        shapes = (("one-shard", "64x32" if own_cores else "128x32"), ("two-shards", "128x32"))
        pairs = [[bench.load(phase, operation, shape, penumbra=name) for name, shape in shapes]
                 for _ in range(max(args.runs, SHARD_PAIRS))]
        if any(result["errors"] or result["unanswered"] for pair in pairs for result in pair):
            raise CannotMeasure(f"two shards, {phase} {operation}: failed requests")
        figure = (lambda r: r["requests_per_second"]) if own_cores else (lambda r: 1e6 / cpu(r))
        carried = [statistics.median(figure(pair[n]) for pair in pairs) for n in (0, 1)]
        ratio = (1 if own_cores else 2) * statistics.median(figure(two) / figure(one) for one, two in pairs)
        how = "requests/s, each shard on a core" if own_cores else "requests per CPU second, all on one core"
        results.note(f"shards: {phase} {operation} at {shapes[0][1]} and {shapes[1][1]}: {carried[0]:,.0f} with one, {carried[1]:,.0f} with two ({how}): "
                     f"{ratio:.2f} times")
        results.single["two shards to one", operation] = ratio


def measure_intent(args: argparse.Namespace, bench: Bench, results: Results) -> None:
    """What --durability intent costs: each write is on the disk before anybody is asked, so it waits for the disk."""
    bench.start_penumbra("intent", 15, bench.processes.directory / "intent", "--durability", "intent")
    for shape in ("1x1", "16x16", "64x32"):
        said = []
        for how, name in (("acked", "penumbra"), ("intent", "intent")):
            runs = [bench.load("shadow_sync", "write", shape, penumbra=name) for _ in range(args.runs)]
            if any(run["errors"] or run["unanswered"] for run in runs):
                raise CannotMeasure(f"durability {how}: failed requests")
            rate, p50, micros = (statistics.median(figure(run) for run in runs)
                                 for figure in (lambda r: r["requests_per_second"], lambda r: r["latency_us"]["p50"], cpu))
            said.append(f"{rate:,.0f} writes/s, p50 {p50:.0f} us, CPU {micros:.2f} us with {how}")
        results.note(f"durability: shadow_sync at {shape}: {'; '.join(said)}")


def measure_steps(args: argparse.Namespace, bench: Bench, results: Results) -> None:
    """The modules' microbenchmarks (Google Benchmark): codec, parser, router, journal append."""
    pinning = bench.processes.pinning
    slowest = 0.0
    for name in ("cql_protocol_bench", "cql_language_bench", "routing_bench", "journal_append_bench"):
        out = bench.processes.directory / f"{name}.json"
        command = pinning.command(pinning.proxy, [program(name), f"--benchmark_out={out}", "--benchmark_out_format=json",
                                                  "--benchmark_min_time=0.2"])
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise CannotMeasure(f"{name}: {done.stderr.strip()}")
        found = json.loads(out.read_text())["benchmarks"]
        scale = {"ns": 1.0, "us": 1e3, "ms": 1e6}
        times = {one["name"]: one["cpu_time"] * scale[one["time_unit"]] for one in found if one.get("run_type") != "aggregate"}
        slowest = max([slowest, *(nanos for step, nanos in times.items() if step.startswith(PARSING))])
        results.note(f"{name}, ns: " + ", ".join(f"{step} {nanos:.0f}" for step, nanos in times.items()))
    results.single["us to parse a statement", "parse"] = slowest / 1000


def sync_micros(directory: Path) -> tuple[float, float]:
    """p50 and p99.9 of an fdatasync of 4 KiB there."""
    descriptor, name = tempfile.mkstemp(dir=directory)
    times = []
    try:
        os.write(descriptor, bytes(8 << 20))
        os.fdatasync(descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)
        for _ in range(1000):
            os.write(descriptor, bytes(4096))
            before = time.perf_counter()
            os.fdatasync(descriptor)
            times.append((time.perf_counter() - before) * 1e6)
    finally:
        os.close(descriptor)
        os.unlink(name)
    times.sort()
    return times[len(times) // 2], times[len(times) * 999 // 1000]


def tail(result: dict) -> float:
    """p99.9, of what was due while both cores ran; of everything where that could not be watched."""
    if result["errors"] or result["unanswered"]:
        raise CannotMeasure(f"the tail: {result['errors']}, {result['unanswered']} unanswered")
    return result.get("undisturbed_latency_us", result["latency_us"])["p99.9"]


def measure_tail(args: argparse.Namespace, bench: Bench, results: Results) -> None:
    # As the table has it: with precedence a closed loop settles in batches so large that no open one at half its rate
    # sends the like, and the proxy's core has little left.
    saturated = statistics.median(bench.load("shadow_sync", "write", "16x16")["requests_per_second"] for _ in range(args.runs))
    with bench.processes.precedence() as scheduling:
        results.note(f"tail: {scheduling}")
        measure_half_rate(saturated / 2, bench, results)
        measure_stalls(args, bench, results)


def measure_half_rate(half: float, bench: Bench, results: Results) -> None:
    """An open loop at half of what the same clients get in a closed one. Round by round, so that what else the machine
    does meets all alike."""
    paths = ("direct", "nginx", "shadow_sync")
    rounds, left_out = [], []
    for _ in range(TAIL_ROUNDS):
        loads = [bench.load(path, "write", OPEN_LOOP, rate=half, duration=TAIL_SECONDS) for path in paths]
        left_out += [load.get("disturbed_share", 0) for load in loads]
        for path, load in zip(paths, loads):
            if load["not_sent"] > half * TAIL_SECONDS / 100:  # ten milliseconds late at the end
                raise CannotMeasure(f"the tail: {path} did not carry {half:,.0f} writes/s: {load['not_sent']} were late")
        rounds.append([tail(load) for load in loads])
    middle = [statistics.median(round[n] for round in rounds) for n in range(len(paths))]
    if middle[0] <= FLAT_MICROS:
        results.single["p99.9 over direct at half rate, us", "write"] = statistics.median(ours - direct for direct, _, ours in rounds)
    else:
        results.note("tail: not measured, since the generator and its servers are late by themselves: nothing can be told from a "
                     f"p99.9 of {middle[0]:.0f} us without a proxy")
    results.note(f"tail: at {half:,.0f} writes/s p99.9 is {middle[0]:.0f} us direct, {middle[1]:.0f} through nginx, "
                 f"{middle[2]:.0f} in shadow_sync (rounds, direct and shadow_sync: "
                 + ", ".join(f"{direct:.0f} {ours:.0f}" for direct, _, ours in rounds)
                 + f"); {statistics.mean(left_out):.0%} of the time is left out, in which a core stood still by itself")


def measure_stalls(args: argparse.Namespace, bench: Bench, results: Results) -> None:
    """A write that a stalled shadow has not is on disk before it is acknowledged, so each takes as long as the disk's
    fdatasync. What Penumbra adds to that is seen where the journal's disk is memory."""
    state = bench.processes.directory
    memory = Path("/dev/shm")
    places = [("disk", state)]
    if memory.is_dir() and os.access(memory, os.W_OK):
        places.append(("memory", Path(tempfile.mkdtemp(prefix="penumbra-bench-", dir=memory))))
    try:
        for number, (place, directory) in enumerate(places):
            name = f"journal-on-{place}"
            bench.start_penumbra(name, 13 + number, directory / name)
            moved, calm, stalled = stall_shadow(args, bench, name)
            p50, p999 = sync_micros(directory)
            results.note(f"tail: journal on {place}, whose fdatasync takes {p50:.0f} us (p99.9 {p999:.0f}): in shadow_async "
                         f"p99.9 is {calm:.0f} us, and {stalled:.0f} us with the shadow stopped for {STALL_SECONDS} s")
            results.single["p99.9 moved by a stalled shadow, us", "write"] = moved
    finally:
        for _, directory in places[1:]:
            shutil.rmtree(directory, ignore_errors=True)


def stall_shadow(args: argparse.Namespace, bench: Bench, name: str) -> tuple[float, float, float]:
    """By how much p99.9 moves; and it before and during the stall."""
    pace = {"rate": 5000, "duration": STALL_SECONDS + 2, "penumbra": name}
    # It has a backlog of ten seconds to work off afterwards. A cluster does so on machines of its own, not on the core
    # of the generator and the other cluster.
    bench.processes.put_behind("target")
    calm = bench.load("shadow_async", "write", "16x16", **pace)
    target = bench.processes.named["target"]
    load = bench.start_load("shadow_async", "write", "16x16", **pace)
    time.sleep(args.warmup + 1)  # in the middle of what is measured
    target.send_signal(signal.SIGSTOP)
    try:
        time.sleep(STALL_SECONDS)  # the fault itself
    finally:
        target.send_signal(signal.SIGCONT)
    stalled = bench.finish_load(load)
    return tail(stalled) - tail(calm), tail(calm), tail(stalled)
