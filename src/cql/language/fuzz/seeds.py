#!/usr/bin/env python3
"""seeds.py OUTDIR: one file per statement of tests/data/statements.tsv and a dictionary of CQL's words, for statement_fuzz."""
import re
import sys
from pathlib import Path

out = Path(sys.argv[1])
(out / "corpus").mkdir(parents=True, exist_ok=True)
module = Path(__file__).resolve().parent.parent
words = set()
for number, line in enumerate((module / "tests/data/statements.tsv").read_text().splitlines()):
    text = line.split("\t")[6]
    for escape, char in (("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r"), ("\\\\", "\\")):
        text = text.replace(escape, char)
    (out / "corpus" / str(number)).write_text(text)
    words.update(re.findall(r"\b[A-Z]{2,}\b", text))
words.update(re.findall(r'"([a-z_]+(?: [a-z]+)?)"', (module / "parser.cc").read_text()))
words.update(["now()", "uuid()", "'now'", "\\\"now\\\"()", "system.", "$$", "''", "--", "/*", "*/", "//", "..", "+=", "-=", ":a", "{a:", "P1D", "1h"])
(out / "dict").write_text("".join(f'"{word}"\n' for word in sorted(words)))
