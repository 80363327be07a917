"""Tries the newest release and pre-release of lark-oapi and of websockets: which test tells what.

    python -m tests.newest

Outside the default run: it installs from the package registry, into a directory of its own for each attempt.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("lark-oapi", "websockets")
TESTS = ("tests/contract", "tests/connection", "tests/unit/test_wire.py")


def install(package: str, home: Path, *options: str) -> str | None:
    """Its name and version, once it lies in `home`; None, with pip's words printed, where it can't be had."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--no-deps", "--target", str(home)]
    done = subprocess.run([*pip, *options, package], capture_output=True, text=True, check=False)
    found = [path.name.removesuffix(".dist-info") for path in home.glob("*.dist-info")]
    if done.returncode or not found:
        print(f"{package} {' '.join(options)}: not installed\n{done.stderr}")
        return None
    return found[0]


def failures(home: Path) -> tuple[int, list[str]]:
    """pytest's exit code and its lines of failed tests, with what lies in `home` going before what is installed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(home), str(ROOT)))}
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", *TESTS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode, lines or done.stdout.splitlines()[-1:] + done.stderr.splitlines()[-1:]


def attempt(package: str, tried: set[str], *options: str) -> bool:
    """Installs, tests, tells. Whether all went well. A version that was `tried` is not tried again."""
    with tempfile.TemporaryDirectory() as home:
        if (name := install(package, Path(home), *options)) is None:
            return False
        if name in tried:
            print(f"{package}: no pre-release is newer than {name}", flush=True)
            return True
        tried.add(name)
        code, lines = failures(Path(home))
    print(f"{name}: {'fine' if code == 0 else 'not fine'}", *(lines if code else ()), sep="\n  ", flush=True)
    return code == 0


def main() -> int:
    """0 where everything is fine with the newest of everything."""
    tried: set[str] = set()
    fine = [attempt(package, tried, *options) for package in PACKAGES for options in ((), ("--pre",))]
    return int(not all(fine))


if __name__ == "__main__":
    raise SystemExit(main())
