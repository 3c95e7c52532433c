"""The integration tests' clusters and processes, for the run of the whole; the other tests here need nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_spec = importlib.util.spec_from_file_location("integration_conftest", _HERE.parent / "integration" / "conftest.py")
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
sys.path.insert(0, str(_HERE))

source, target, penumbra = _fixtures.source, _fixtures.target, _fixtures.penumbra
pytest_runtest_makereport = _fixtures.pytest_runtest_makereport
pytest_addoption = _fixtures.pytest_addoption
