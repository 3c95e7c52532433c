"""Where the tool and what it borrows are found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE, _HERE.parent / "differential", _HERE.parent / "integration", _HERE.parents[1] / "tools" / "demo"):
    sys.path.insert(0, str(_folder))


def pytest_configure(config: pytest.Config) -> None:
    """support.py uses a mark of the integration tests."""
    config.addinivalue_line("markers", "cassandra_only(reason): as in tests/integration")
