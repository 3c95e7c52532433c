"""Random statements on real clusters, directly and through a real process in every phase: the same answers.

PENUMBRA_STATEMENTS   how many (20000)
PENUMBRA_SEED         which (from the clock; printed)
PENUMBRA_PROTOCOL     in which version (4)
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from differ.running import Options, Pair, Run


@pytest.mark.timeout(1200)
def test_nobody_can_tell(penumbra, source, target, capsys: pytest.CaptureFixture[str]) -> None:
    process = penumbra("--request-timeout", "1m")  # Schema changes take seconds on a busy machine.
    seed = int(os.environ.get("PENUMBRA_SEED", time.time()))
    statements = int(os.environ.get("PENUMBRA_STATEMENTS", "20000"))
    version = int(os.environ.get("PENUMBRA_PROTOCOL", "4"))
    pair = Pair(process.contact_point, source.contact_point, target.contact_point, admin=process.admin)
    run = Run(pair, Options(statements=statements, seed=seed, version=version, reproductions=Path("differential-failures")))
    with capsys.disabled():
        print(f"\nPENUMBRA_SEED={seed} PENUMBRA_STATEMENTS={statements} PENUMBRA_PROTOCOL={version}", flush=True)
        same = run.execute()
    assert same, f"seed {seed}: {len(run.found)} answers differ; {run.problems}"
    assert run.statements >= statements - len(pair.directs()) * 100
    assert run.counts["answered"] > statements / 5, "most statements must do something"
    assert run.counts["cells compared"] > 0
