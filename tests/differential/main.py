"""Runs random statements directly and through Penumbra, and compares every answer. Standard library only, but for the
comparison of cells at the end, which is tools/demo/compare.py and reads both clusters by the stock driver.

  tests/differential/run --proxy HOST:PORT --source HOST:PORT --target HOST:PORT --admin HOST:PORT
      the proxy between source and target; a migration is made and moved through all phases, and each answer is compared
      with what the primary of that phase says itself, in a keyspace of its own
  tests/differential/run --proxy HOST:PORT --direct HOST:PORT
      no phases: the proxy as it stands, against one cluster of the primary's version
  tests/differential/run … --replay FILE
      a stored failure once more
Keyspaces are called df_…, made at the beginning and dropped at the end. Exit status: 0 all the same, 1 differences,
2 usage, or a cluster that is compared with ended.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "demo"))

from differ import running, wire  # noqa: E402  (found beside this file, not installed)
from differ.lane import Gone  # noqa: E402
from differ.moving import PHASES, SIDE  # noqa: E402


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/differential/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxy", required=True, metavar="HOST:PORT")
    parser.add_argument("--direct", metavar="HOST:PORT", help="a cluster of the primary's version (default: source and target themselves)")
    parser.add_argument("--source", metavar="HOST:PORT")
    parser.add_argument("--target", metavar="HOST:PORT")
    parser.add_argument("--admin", metavar="HOST:PORT", help="the proxy's admin address; without it no phase is changed")
    parser.add_argument("--phase", action="append", choices=PHASES,
                        help="portions to run, in order (default with --admin: all five; without: the phase that the proxy is in, source_only)")
    parser.add_argument("--statements", type=int, default=20000, metavar="N")
    parser.add_argument("--seed", type=int, default=None, metavar="S", help="default: from the clock; printed in any case")
    parser.add_argument("--lanes", type=int, default=4, metavar="N", help="clients at a time, each with a keyspace of its own (4)")
    parser.add_argument("--tables", type=int, default=6, metavar="N", help="tables of a lane (6)")
    parser.add_argument("--protocol", type=int, default=4, choices=(3, 4, 5))
    parser.add_argument("--vectors", action="store_true", help="vector columns too: both clusters must be Cassandra 5.0")
    parser.add_argument("--user", metavar="USER:PASSWORD")
    parser.add_argument("--shrink", type=int, default=5, metavar="N", help="failures to shrink (5)")
    parser.add_argument("--failures", type=int, default=20, metavar="N", help="after so many a lane stops (20)")
    parser.add_argument("--reproductions", type=Path, default=Path("differential-failures"), metavar="DIR")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    parser.add_argument("--without-system", action="store_true", help="no reads of system.local and peers, which are the proxy's own")
    parser.add_argument("--without-changes", action="store_true", help="no ALTER, CREATE and DROP on the way: much faster")
    parser.add_argument("--keep", action="store_true", help="leave the keyspaces")
    options = parser.parse_args(argv)
    if not options.direct and not options.source:
        parser.error("--direct, or --source and --target, must say whom to compare with")
    return options


def main(argv: list[str] | None = None) -> int:
    given = parse(argv)
    user, _, password = (given.user or "").partition(":")
    pair = running.Pair(given.proxy, given.source, given.target, given.direct, given.admin, (user, password) if given.user else None)
    seed = given.seed if given.seed is not None else int(time.time()) % 1_000_000
    phases = given.phase or (PHASES if given.admin else ["source_only"])
    run = running.Run(pair, running.Options(
        statements=given.statements, seed=seed, lanes=given.lanes, version=given.protocol, phases=phases, tables=given.tables,
        vectors=given.vectors, most_failures=given.failures, shrinks=given.shrink, reproductions=given.reproductions, keep=given.keep,
        without_system=given.without_system, without_changes=given.without_changes))
    if given.replay:
        stored = json.loads(given.replay.read_text())
        run.options.version = stored["version"]
        try:
            failure = running.replay(run, stored["steps"], SIDE[stored["phase"]])
        except (wire.Lost, Gone) as error:
            return _nothing_known(error)
        print(failure or "the last answer is the same on both")
        return 1 if failure else 0
    print(f"seed {seed}, {given.statements} statements, protocol v{given.protocol}, {given.lanes} lanes, run {run.name}", flush=True)
    began = time.monotonic()
    try:
        same = run.execute()
    except (wire.Lost, Gone) as error:
        return _nothing_known(error)
    took = time.monotonic() - began
    for what, count in sorted(run.counts.items()):
        print(f"  {count:7} {what}")
    for problem in run.problems:
        print(f"  {problem}")
    print(f"seed {seed}: {run.statements} statements in {took:.1f} s ({run.statements / took:.0f}/s), {len(run.found)} answers differ, "
          f"{len(run.problems)} other problems")
    return 0 if same else 1


def _nothing_known(error: wire.Lost | Gone) -> int:
    """Exit status 2: there is nobody to compare with."""
    print(f"tests/differential/run: {error}", file=sys.stderr)
    if isinstance(error, Gone):
        print("Nothing more can be said of the proxy.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
