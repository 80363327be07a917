"""Writes what the packages carry besides the listener itself, each version with its hash: locked-PYTHON-MACHINE.txt.

    .venv/bin/python .packaging/lock.py [PYTHON]

PYTHON (default /usr/bin/python3) is the interpreter that the packages are for; its pip resolves pyproject.toml with
all extras but `test`; wheels only, but for what is published as source alone.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent
BINARY = ("--only-binary", ":all:", "--no-binary", "nkeys")  # pure Python; it has no wheel
TAG = "import sys, platform; print(f'{sys.version_info[0]}.{sys.version_info[1]}-{platform.machine()}')"


def file_for(python: str) -> Path:
    """The lock of an interpreter, such as locked-3.11-x86_64.txt."""
    done = subprocess.run([python, "-c", TAG], capture_output=True, text=True, check=True)
    return HERE / f"locked-{done.stdout.strip()}.txt"


def extras() -> list[str]:
    """Every extra that a user may want: a package that can't reach an index carries them all."""
    table = tomllib.loads(PROJECT.joinpath("pyproject.toml").read_text(encoding="utf-8"))
    return sorted(set(table["project"]["optional-dependencies"]) - {"test"})


def resolved(python: str) -> dict[str, tuple[str, str]]:
    """(version, sha256) by name, as pip would install them now."""
    pip = [python, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    command = [*pip, *BINARY, f"{PROJECT}[{','.join(extras())}]"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for one in json.loads(done.stdout)["install"]:
        hashes = one["download_info"].get("archive_info", {}).get("hashes", {})
        if hashes:  # the project itself is a directory and has none
            found[one["metadata"]["name"].lower()] = (one["metadata"]["version"], hashes["sha256"])
    return found


def main(python: str = "/usr/bin/python3") -> None:
    """Writes the lock of one interpreter."""
    lines = [
        f"{name}=={version} --hash=sha256:{digest}" for name, (version, digest) in sorted(resolved(python).items())
    ]
    head = "# Made by .packaging/lock.py: what the packages for this Python and machine carry.\n"
    options = [" ".join(BINARY[:2]), " ".join(BINARY[2:])]
    file_for(python).write_text(head + "\n".join([*options, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
