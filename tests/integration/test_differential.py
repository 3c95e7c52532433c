"""A short run of the differential test (tests/differential), in each protocol version: the same statements every time, unless
PENUMBRA_SEED names others. No schema changes on the way, which take most of the time. The long one is
`./test --only differential`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "differential"))

from differ.running import Options, Pair, Run  # noqa: E402

_STATEMENTS = 1000


@pytest.mark.cassandra_only("source and target are the judges, and a shim is no judge of the proxy")
@pytest.mark.parametrize("version", [3, 4, 5])
def test_nobody_can_tell_for_a_thousand_statements(penumbra, source, target, version: int) -> None:
    process = penumbra("--request-timeout", "1m")  # A busy machine is no difference.
    seed = int(os.environ.get("PENUMBRA_SEED", "1"))
    pair = Pair(process.contact_point, source.contact_point, target.contact_point, admin=process.admin)
    run = Run(pair, Options(statements=_STATEMENTS, seed=seed, version=version, lanes=2, shrinks=1,
                            without_changes=True, reproductions=Path("differential-failures")))
    assert run.execute(), f"seed {seed}, v{version}: {[str(found.failure) for found in run.found[:3]]}; {run.problems}"
    assert run.counts["answered"] > _STATEMENTS / 5
    assert run.counts["cells compared"] > 0
