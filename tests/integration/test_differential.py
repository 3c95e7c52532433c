"""The differential test (tests/differential) in CI's share: 20,000 statements in all, most of them in v4, the same ones every time
unless PENUMBRA_SEED names others. No schema changes on the way, which take most of the time; `./test --only differential`
has them, and `tests/differential/run` any number of statements."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "differential"))

from differ.running import Options, Pair, Run  # noqa: E402


@pytest.mark.timeout(1200)
@pytest.mark.cassandra_only("source and target are the judges, and a shim is no judge of the proxy")
@pytest.mark.parametrize(("version", "statements"), [(3, 3000), (4, 14000), (5, 3000)], ids=["v3", "v4", "v5"])
def test_nobody_can_tell(penumbra, source, target, version: int, statements: int) -> None:
    process = penumbra("--request-timeout", "1m")  # A busy machine is no difference.
    seed = int(os.environ.get("PENUMBRA_SEED", "1"))
    pair = Pair(process.contact_point, source.contact_point, target.contact_point, admin=process.admin)
    run = Run(pair, Options(statements=statements, seed=seed, version=version, lanes=2, shrinks=1,
                            without_changes=True, reproductions=Path("differential-failures")))
    print(f"PENUMBRA_SEED={seed}")
    assert run.execute(), f"seed {seed}, v{version}: {[str(found.failure) for found in run.found[:3]]}; {run.problems}"
    assert run.counts["answered"] > statements / 5
    assert run.counts["cells compared"] > 0
