"""What of the packages can be seen without building them; `.packaging/try` tries the built ones in a box."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import pytest

PACKAGING = Path(__file__).parents[2] / ".packaging"
SCRIPTS = [*PACKAGING.glob("deb/p*"), PACKAGING / "release", *sorted(PACKAGING.glob("try*"))]
LOCKS = sorted(PACKAGING.glob("locked-*.txt"))


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PACKAGING / f"{name}.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_programs_that_their_shell_can_read(script: Path) -> None:
    shell = script.read_text().partition("\n")[0].rpartition(" ")[2].rpartition("/")[2]
    assert os.access(script, os.X_OK)
    assert subprocess.run([shell, "-n", script], check=False).returncode == 0


def dist_info(site: Path, name: str, *lines: str) -> None:
    (site / f"{name}-1.dist-info").mkdir(parents=True)
    text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1", *lines, "", ""])
    (site / f"{name}-1.dist-info" / "METADATA").write_text(text)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    dist_info(
        tmp_path, "helpdesk_listen", "License-Expression: MIT", "Requires-Dist: One.Part>=1", "Requires-Dist: gone"
    )
    classifiers = ("License :: OSI Approved", "License :: OSI Approved :: BSD License")
    dist_info(tmp_path, "one_part", *(f"Classifier: {each}" for each in classifiers), "Summary: A part")
    dist_info(tmp_path, "other", "License: Apache 2.0", 'Requires-Dist: one-part; extra == "x"')
    return tmp_path


def test_the_bill_of_materials_names_every_part_with_licence_and_hash(site: Path) -> None:
    bill = module("sbom").bill(site, {"one-part": "0" * 64})
    parts = {one["name"]: one for one in bill["components"]}
    assert "application" == bill["metadata"]["component"]["type"]
    assert {"one-part", "other"} == set(parts)
    assert [{"alg": "SHA-256", "content": "0" * 64}] == parts["one-part"]["hashes"]
    assert [{"license": {"name": "BSD License"}}] == parts["one-part"]["licenses"]
    assert [{"license": {"name": "Apache 2.0"}}] == parts["other"]["licenses"]
    edges = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert ["pkg:pypi/one-part@1"] == edges["pkg:pypi/helpdesk-listen@1"], "what is not here is no component"


def test_the_bill_is_the_same_bytes_twice_and_another_for_another_tree(site: Path) -> None:
    def printed() -> str:
        command = [sys.executable, str(PACKAGING / "sbom.py"), str(site)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1"}
        return subprocess.check_output(command, text=True, env=environment)

    first = printed()
    assert first == printed()
    assert "1970-01-01T00:00:01Z" == json.loads(first)["metadata"]["timestamp"]
    dist_info(site, "more")
    assert json.loads(first)["serialNumber"] != json.loads(printed())["serialNumber"]


def test_a_tree_that_lacks_something_is_told(site: Path) -> None:
    assert ["helpdesk-listen needs gone"] == module("complete").missing(str(site))


def test_the_lock_holds_what_the_project_requires() -> None:
    """Made anew by .packaging/lock.py when pyproject.toml changes."""
    lock = module("lock")
    wanted: dict[str, Any] = module("complete").wanted(lock.PROJECT / "pyproject.toml", lock.extras())
    assert LOCKS
    for file in LOCKS:
        locked = dict(re.findall(r"^(\S+)==(\S+) --hash=sha256:[0-9a-f]{64}$", file.read_text(), re.MULTILINE))
        names = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in locked.items()}
        unmet = [str(one) for name, one in wanted.items() if not one.specifier.contains(names.get(name, "0"))]
        assert [] == unmet, f"{file.name} is out of date: run .packaging/lock.py"


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_its_types_too(tmp_path: Path) -> None:
    """Such as py.typed, the page's files and the example configuration."""
    project = PACKAGING.parent
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(project)]
    built = subprocess.run(pip, capture_output=True, text=True, timeout=110, check=False)
    if "hatchling" in built.stderr:
        pytest.skip("the build backend can't be had here")
    assert 0 == built.returncode, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    tracked = subprocess.check_output(["git", "ls-files", "listener"], cwd=project, text=True).split()
    assert "listener/py.typed" in tracked
    assert set() == set(tracked) - set(ZipFile(wheel).namelist())
