"""`tools/venv`: the Python environment of the tests and the demo, outside the tree, named by what is in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from .common import ToolError, cache_dir, file_lock

REQUIREMENTS = Path(__file__).resolve().parents[2] / "tests" / "requirements.txt"


def environment() -> Path:
    """The environment's directory, made on first use. A changed list of requirements gets a directory of its own, so an
    environment is never altered while someone runs from it."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    root = cache_dir() / "venv"
    home = root / key
    done = home / "complete"  # Written last: an installation that was cut short is not taken for one that ended.
    if done.exists():
        return home
    with file_lock(root / f"{key}.lock"):
        if done.exists():
            return home
        shutil.rmtree(home, ignore_errors=True)
        _say(f"making the Python environment of {REQUIREMENTS.name} in {home}")
        try:
            venv.create(home, with_pip=True)
        except subprocess.CalledProcessError as error:
            raise ToolError(f"python3 -m venv failed ({error}): install python3-venv (tools/setup does)") from None
        _pip(home, "install", "--requirement", str(REQUIREMENTS))
        done.touch()
    return home


def _pip(home: Path, *arguments: str) -> None:
    command = [str(home / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    with tempfile.TemporaryFile("w+") as output:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
        if code != 0:
            output.seek(0)
            tail = "\n".join("    " + line for line in output.read().strip().splitlines()[-15:])
            raise ToolError(f"pip could not install what {REQUIREMENTS} lists (exit {code}): check the network and "
                            f"pip's configuration. Its last lines:\n{tail}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Prints the directory; with arguments, runs that program of the environment instead."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments in (["-h"], ["--help"]):
        print("usage: tools/venv                 make or update the environment and print its directory\n"
              "       tools/venv PROGRAM [ARG]…  run a program of it: python, pytest, cqlsh")
        return 0
    try:
        home = environment()
        if not arguments:
            print(home)
            return 0
        program = home / "bin" / arguments[0]
        if not program.exists():
            raise ToolError(f"there is no program {arguments[0]} in {home / 'bin'}: "
                            f"add what brings it to {REQUIREMENTS}")
        os.execv(program, [str(program), *arguments[1:]])
    except ToolError as error:
        print(f"tools/venv: {error}", file=sys.stderr)
        return 1
