"""Importing a module changes nothing in the program that imports it."""

import json
import subprocess
import sys
from pathlib import Path

import listener

ROOT = Path(listener.__file__).parent
MODULES = sorted(
    ".".join(("listener", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)
SCRIPT = """
import gc, importlib, json, logging, os, signal, sys, warnings
import aiohttp.web, structlog  # what a library does at its import is its own
logging.basicConfig(level="ERROR", format="mine %(message)s")

def state():
    root = logging.getLogger()
    return repr((
        root.handlers, root.level, structlog.is_configured(),
        [signal.getsignal(number) for number in signal.valid_signals()],
        gc.get_threshold(), gc.get_freeze_count(), gc.isenabled(), sys.getswitchinterval(), sys.excepthook,
        warnings.filters, sys.stdout, sys.stderr, os.getcwd(), dict(os.environ), sys.gettrace(),
    ))

changed = []
for name in sys.argv[1:]:
    before = state()
    importlib.import_module(name)
    if state() != before:
        changed.append(name)
print(json.dumps(changed))
"""


def imported(*names: str) -> list[str]:
    """The names of the modules whose import changed something of the process, in an order."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names], capture_output=True, text=True, timeout=60, check=True
    )
    changed: list[str] = json.loads(done.stdout.splitlines()[-1])
    return changed


def test_no_import_touches_log_handlers_signals_the_collector_or_the_switch_interval() -> None:
    assert [] == imported(*MODULES)


def test_a_program_with_logging_configured_keeps_it_when_it_imports_the_journal() -> None:
    script = 'import logging; logging.basicConfig(format="mine %(message)s"); before = logging.root.handlers[:]\n'
    script += 'import listener.journal; assert before == logging.root.handlers; logging.warning("told")'
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ("", "mine told\n") == (done.stdout, done.stderr)
