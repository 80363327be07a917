"""The units as systemd reads them. That they work under it is tests/systemd's business."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from listener.install import plan
from listener.install.plan import Layout, unit_text

UNITS = Path(plan.__file__).with_name("units")
LAYOUTS = {"system": Layout(), "instance": Layout(instance="shop"), "user": Layout(home=Path("/home/kim"))}
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")


def _written(layout: Layout, directory: Path) -> Path:
    """The unit with a program that exists, as `verify` wants it."""
    name = layout.unit_file.name.replace("@.", "@shop.")
    (directory / name).write_text(unit_text(layout, Path(sys.executable)), encoding="utf-8")
    return directory / name


@needs_systemd
@pytest.mark.parametrize("name", LAYOUTS)
def test_systemd_has_nothing_to_say_about_the_unit(name: str, tmp_path: Path) -> None:
    scope = ["--user"] if name == "user" else []
    unit = _written(LAYOUTS[name], tmp_path)
    done = subprocess.run(
        ["systemd-analyze", *scope, "verify", "--recursive-errors=no", unit],
        env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stdout + done.stderr)


@needs_systemd
@pytest.mark.parametrize("name", ["system", "instance"])
def test_it_is_as_closed_as_the_best_of_debians_daemons(name: str, tmp_path: Path) -> None:
    unit = _written(LAYOUTS[name], tmp_path)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=12", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout[-2000:]
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert float(exposure) <= 1.2


def test_the_template_differs_by_its_instance_only() -> None:
    single, template = (
        (UNITS / name).read_text(encoding="utf-8").split("\n", 1)[1]
        for name in ("helpdesk-listen.service", "helpdesk-listen@.service")
    )
    expected = (
        single.replace("/etc/helpdesk-listen/", "/etc/helpdesk-listen/%i/")
        .replace("Directory=helpdesk-listen", "Directory=helpdesk-listen/%i")
        .replace("(helpdesk-listen)", "(helpdesk-listen, %i)")
    )
    assert expected == template


def test_what_the_repository_shows_is_what_is_installed() -> None:
    shown = Path(__file__).parents[2] / "systemd"
    assert {path.name for path in UNITS.iterdir()} == {
        path.name for path in shown.iterdir() if path.is_file() and path.suffix != ".md"
    }
    assert all((shown / path.name).read_bytes() == path.read_bytes() for path in UNITS.iterdir())
