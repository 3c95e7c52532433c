"""Rounds of random requests through Penumbra while random things break, and a judgement after each.

  tests/faults/run --rounds 20 --seed 7
      brings up a source and a target of its own, and leaves them up with --keep
  tests/faults/run --rounds 20 --source HOST:PORT --target HOST:PORT
      clusters that are there already: their nodes are left alone, only Penumbra and the connections are disturbed
  tests/faults/run --seed 7 --only-round 13
      that round once more: the same choices, though not the same moments

After each round everything heals and the journal is drained. Then every acknowledged write must be on both clusters or
be legally overwritten, no refused one on either, both clusters must have the same cells with the same write times and
TTLs, and every request must have had its answer. Keyspaces are called faults_…, made at the beginning, dropped at the end.
The last line is "rounds N, violations N". Exit status: 0 none, 1 violations, 2 could not run.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "differential", HERE.parent / "integration", HERE.parents[1] / "tools" / "demo"):
    sys.path.insert(0, str(folder))

from cassandra import DriverException, RequestExecutionException  # noqa: E402  (found by the lines above)
from cassandra.cluster import NoHostAvailable, OperationTimedOut  # noqa: E402

import compare as comparer  # noqa: E402
from faults.kinds import all_faults  # noqa: E402
from faults.rounds import Round, Settings, drop_tables, make_tables  # noqa: E402
from faults.stage import HarnessError, Stage, made_stage  # noqa: E402

ROUNDS_PER_KEYSPACE = 12


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/faults/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, metavar="N")
    parser.add_argument("--seed", type=int, default=None, metavar="S", help="default: from the clock; printed in any case")
    parser.add_argument("--only-round", type=int, metavar="K", help="this one of the seed's rounds alone")
    parser.add_argument("--first-round", type=int, default=1, metavar="K", help="begin with this one")
    parser.add_argument("--source", metavar="HOST:PORT", help="a cluster that is there (default: one of our own, Cassandra 4.1)")
    parser.add_argument("--target", metavar="HOST:PORT", help="the same (Cassandra 5.0)")
    parser.add_argument("--names", default="fault", metavar="PREFIX", help="of our own clusters: PREFIX-source, PREFIX-target")
    parser.add_argument("--addresses", default="127.0.81,127.0.82,127.0.83", metavar="A,B,C",
                        help="where source, target and Penumbra listen: clusters on A.1 and B.1, the fault proxies before them on A.9 and B.9, Penumbra on C.9")
    parser.add_argument("--fault", action="append", default=[], choices=[fault.name for fault in all_faults()], help="only these")
    parser.add_argument("--without", action="append", default=[], choices=[fault.name for fault in all_faults()])
    parser.add_argument("--seconds", type=float, default=6.0, metavar="S", help="longest workload of a round (6)")
    parser.add_argument("--clients", type=int, default=6, metavar="N")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="only counters are written, by random amounts: each round counts exactly to N on both clusters")
    parser.add_argument("--no-lists", action="store_true", help="no writes to lists")
    parser.add_argument("--node-kills", type=float, default=0.06, metavar="SHARE", help="of rounds that kill a Cassandra node, which takes long (0.06)")
    parser.add_argument("--failures", type=Path, default=Path("fault-failures"), metavar="DIR", help="where rounds that failed are written down")
    parser.add_argument("--keep", action="store_true", help="leave our own clusters up")
    parser.add_argument("--stop-at-first", action="store_true")
    return parser.parse_args(argv)


def play(stage: Stage, options: argparse.Namespace, seed: int) -> tuple[int, int]:
    settings = Settings(seconds=(min(2.5, options.seconds), options.seconds), clients=options.clients, faults=options.fault,
                        without=options.without, costly=options.node_kills, count_to=options.count, lists=not options.no_lists)
    numbers = [options.only_round] if options.only_round else range(options.first_round, options.first_round + options.rounds)
    rounds = violations = memory = 0
    keyspace = ""
    for number in numbers:
        if not keyspace or rounds % ROUNDS_PER_KEYSPACE == 0:
            if keyspace:
                drop_tables(stage, keyspace)
            keyspace = f"faults_{int(time.time()) % 1_000_000:06d}"
            make_tables(stage, keyspace)
        one = Round(stage, settings, number, f"{seed}/{number}", keyspace)
        outcome = one.run()
        rounds += 1
        memory = max(memory, outcome.memory)
        print(outcome.line(), flush=True)
        if outcome.problems:
            violations += len(outcome.problems)
            for problem in outcome.problems[:12]:
                print(f"    {problem}")
            print(f"    again with --seed {seed} --only-round {number}; written down: {one.write_down(options.failures)}", flush=True)
            if options.stop_at_first:
                break
    if keyspace:
        drop_tables(stage, keyspace)
    print(f"most memory of a process: {memory >> 20} MiB")
    return rounds, violations


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    logging.getLogger("cassandra").setLevel(logging.CRITICAL)
    seed = options.seed if options.seed is not None else int(time.time()) % 1_000_000
    print(f"seed {seed}", flush=True)
    try:
        with made_stage(options) as stage:
            rounds, violations = play(stage, options, seed)
    except (HarnessError, comparer.CannotCompare, DriverException, RequestExecutionException, OperationTimedOut, NoHostAvailable,
            OSError) as error:
        print(f"tests/faults/run: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(f"rounds {rounds}, violations {violations}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
