"""Where the tool and what it borrows are found."""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE, _HERE.parent / "differential", _HERE.parent / "integration", _HERE.parents[1] / "tools" / "demo"):
    sys.path.insert(0, str(_folder))
