"""./demo --once says yes when all is well, and no when Penumbra is broken on purpose.

The honest run belongs to ./demo itself and to the test suite's last step; here it is the broken one that matters: a demo
that cannot fail shows nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import support

RUN = support.ROOT / "tools" / "demo" / "run.py"
BASE = "127.0.22"      # Its own clusters, beside those of the other tests.


def faulty_binary() -> Path:
    """A build that has the named faults: they do not exist in what ships."""
    path = Path(os.environ.get("PENUMBRA_FAULTY_BIN") or support.ROOT / "build" / "debug" / "penumbra")
    assert path.exists(), f"{path} is not there: build it with tools/build debug, or set PENUMBRA_FAULTY_BIN"
    return path


def demo(binary: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, RUN, "--once", "--base", BASE, "--penumbra", binary, "--out", out, "--seconds", "60",
         "--rate", "300", "--preload", "500"],
        capture_output=True, text=True, check=False, env={**os.environ, **environment})


@pytest.mark.timeout(900)
def test_dropping_shadow_writes_makes_the_demo_fail(tmp_path: Path) -> None:
    done = demo(faulty_binary(), tmp_path / "demo.json", PENUMBRA_INJECT="proxy.drop_shadow_write=200")
    assert done.returncode == 1, done.stdout
    assert "all is well" not in done.stdout
    # Found as what it is, by Penumbra's own verify or by the independent comparison: not some other mishap.
    assert "differences" in done.stdout, done.stdout
    told = tmp_path / "demo.json"
    assert not told.exists() or not json.loads(told.read_text())["ok"]


@pytest.mark.timeout(900)
def test_the_same_demo_without_the_fault_is_well(tmp_path: Path) -> None:
    done = demo(faulty_binary(), tmp_path / "demo.json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "demo.json").read_text())
    assert told["ok"] and told["app_errors"] == 0 and told["differences"] == 0
    assert told["rows_compared"] > 0 and told["tenants_moved"] == 3 and told["stray_rows"] == 0
    assert {s["to"] for s in told["switches"]} == {"shadow_async", "shadow_sync", "target_primary", "target_only"}
