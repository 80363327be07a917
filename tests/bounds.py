"""Tries the dependencies at the lowest and at the newest versions that pyproject.toml allows.

    python -m tests.bounds lowest [TEST…]
    python -m tests.bounds newest [TEST…]

Outside the default run: it installs from the package registry, into a venv of its own for each attempt. Without TEST
the quick tests run. Exit code 0 where all pass; a dependency whose lowest version can't be had is told.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
WAYS = ("lowest", "newest")


def direct() -> list[Requirement]:
    """What pyproject.toml names, extras of users included; of the test tools any version will do."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (each for name, lines in project["optional-dependencies"].items() if name != "test" for each in lines)
    return [Requirement(line) for line in (*project["dependencies"], *extras)]


def lowest(wanted: Requirement, pip: list[str]) -> str | None:
    """The lowest version that the index has and the requirement takes, as pip tells them."""
    done = subprocess.run([*pip, "index", "versions", wanted.name], capture_output=True, text=True, check=False)
    listed = re.search(r"^Available versions: (.*)$", done.stdout, re.MULTILINE)
    fitting = wanted.specifier.filter(Version(each) for each in listed[1].split(", ")) if listed else ()
    return min(map(str, fitting), key=Version, default=None)


def constraints(pip: list[str]) -> list[str]:
    """A line for each direct dependency, at its lowest."""
    found = {one.name: lowest(one, pip) for one in direct()}
    for name in (name for name, version in found.items() if version is None):
        print(f"{name}: no version that pyproject.toml allows can be had")
    return [f"{name}=={version}" for name, version in found.items() if version]


def attempt(way: str, tests: list[str]) -> int:
    """Installs, prints what was installed, and runs the tests; pip's or pytest's exit code."""
    with tempfile.TemporaryDirectory() as home:
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        python = str(Path(home, "bin", "python"))
        pip = [python, "-m", "pip"]
        pins = Path(home, "pins.txt")
        pins.write_text("\n".join(constraints(pip)) if way == "lowest" else "", encoding="utf-8")
        print(pins.read_text(encoding="utf-8"))
        install = [*pip, "install", "-q", "--upgrade", "-e", f"{ROOT}[test]", "-c", str(pins)]
        if code := subprocess.run(install, check=False).returncode:
            return code
        return subprocess.run([python, "-m", "pytest", "-q", *tests], cwd=ROOT, check=False).returncode


def main(arguments: list[str]) -> int:
    """0 where everything is fine."""
    if not arguments or arguments[0] not in WAYS:
        print(f"usage: python -m tests.bounds {'|'.join(WAYS)} [TEST…]", file=sys.stderr)
        return 2
    return attempt(arguments[0], arguments[1:])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
