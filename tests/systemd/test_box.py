"""The service under a real systemd, installed from a wheel: one run in a box, and what must hold of it.

The box is a throw-away overlay of this machine (see `box`); scenario.py is what happens inside.
"""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
CANNOT = 77  # the box's exit status where there can't be one
INSIDE = """set -e
/usr/bin/python3 -m venv /opt/helpdesk-listen
/opt/helpdesk-listen/bin/pip install --quiet --no-index --find-links /wheels helpdesk-listen
cd /project && exec /opt/helpdesk-listen/bin/python -m tests.systemd.scenario
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("box"),  # the others would wait for its one run
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="a box needs root"),
    pytest.mark.skipif(shutil.which("systemd-nspawn") is None, reason="a box needs systemd-container"),
    pytest.mark.skipif(
        subprocess.run(
            ["/usr/bin/python3", "-m", "ensurepip", "--version"], capture_output=True, check=False
        ).returncode
        != 0,
        reason="a box needs Debian's python3-venv",
    ),
]


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Any:
    """What scenario.py saw, in one run for all workers of xdist."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with (shared / "box.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = shared / "box.json"
        if not result.exists():
            result.write_text(json.dumps(_run(tmp_path_factory.mktemp("box"))), encoding="utf-8")
    code, document, errors = json.loads(result.read_text(encoding="utf-8"))
    if code == CANNOT:
        pytest.skip(f"a box can't be had here: {errors}")
    assert 0 == code, errors[-8000:]
    return json.loads(document)


def _run(directory: Path) -> tuple[int, str, str]:
    """(exit status, the scenario's document, what else was said)."""
    overlay = directory / "overlay"
    _wheels(directory / "venv", overlay / "wheels")
    for name in ("__init__.py", "systemd/__init__.py", "systemd/inside.py", "systemd/scenario.py"):
        to = overlay / "project" / "tests" / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE.parent / name, to)
    done = subprocess.run([HERE / "box", overlay, "bash", "-c", INSIDE], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def _wheels(venv: Path, to: Path) -> None:
    """This project and all that it needs, for Debian's Python."""
    subprocess.run(["/usr/bin/python3", "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin/pip", "wheel", "--quiet", "--wheel-dir", to, PROJECT], check=True, capture_output=True)


def test_installed_twice(seen: Any) -> None:
    assert (0, 0) == (seen["install"][0], seen["again"][0])
    assert "wrote /etc/helpdesk-listen/config.toml (0640)" in seen["install"][1]
    assert "wrote" not in seen["again"][1]
    assert "enabled" == seen["enabled"]


def test_active_within_two_seconds(seen: Any) -> None:
    code, seconds = seen["start"]
    assert 0 == code
    assert seconds < 2.0


def test_systemd_has_nothing_to_say_about_the_installed_units(seen: Any) -> None:
    assert [[0, ""], [0, ""]] == [seen["verify"], seen["instance_verify"]]


def test_its_exposure_is_at_most_1_2(seen: Any) -> None:
    assert float(seen["security"].split(":")[1].split()[0]) <= 1.2


def test_it_runs_as_its_own_user_with_no_capability(seen: Any) -> None:
    assert "helpdesk-listen" == seen["user"]
    process = seen["process"]
    assert {"0" * 16} == {process[name] for name in ("CapEff", "CapPrm", "CapBnd")}
    assert ("1", "2") == (process["NoNewPrivs"], process["Seccomp"])


def test_the_secret_comes_from_the_credential(seen: Any) -> None:
    assert "CREDENTIALS_DIRECTORY" in seen["environment"]
    assert "FEISHU_APP_SECRET" not in seen["environment"]
    assert "root:root 0600" == seen["files"]["/etc/helpdesk-listen/app_secret"], "no other way to it"


def test_owners_and_modes(seen: Any) -> None:
    assert {
        "/etc/helpdesk-listen/config.toml": "root:helpdesk-listen 0640",
        "/etc/helpdesk-listen/app_secret": "root:root 0600",
        "/var/lib/helpdesk-listen": "helpdesk-listen:helpdesk-listen 0750",
        "/var/lib/helpdesk-listen/helpdesk.db": "helpdesk-listen:helpdesk-listen 0600",
        "/var/log/helpdesk-listen/tickets.jsonl": "helpdesk-listen:helpdesk-listen 0640",
    } == seen["files"]


def test_events_flow_to_its_directory(seen: Any) -> None:
    assert {"pushed": 30, "lines": 30, "different": 30} == seen["flow"]


def test_the_group_may_read_events_and_status_and_nobody_else(seen: Any) -> None:
    assert (0, 0) == (seen["kim_events"], seen["kim_status"][0])
    assert 0 not in (seen["kim_secret"], seen["lee_events"], seen["lee_status"][0], seen["lee_secret"])
    assert 0 == seen["root_status"][0]


def test_after_kill_9_it_is_active_within_five_seconds_and_no_event_is_lost(seen: Any) -> None:
    assert seen["after_kill"] < 5.0
    assert {"pushed": 110, "lines": 110, "different": 110} == seen["kill"]


def test_the_watchdog_restarts_one_that_stopped_and_says_where_it_was(seen: Any) -> None:
    assert seen["fed"], "a healthy one is left alone"
    assert seen["after_stop"] < 15.0
    assert "Watchdog timeout" in seen["watchdog_log"]
    assert 0 == seen["stacks"]


def test_a_reload_adds_a_sink_without_a_new_connection(seen: Any) -> None:
    assert [0, ""] == seen["reload"]
    assert seen["second"] < 5.0
    assert (True, True) == (seen["same_process"], seen["same_connection"])
    assert {"pushed": 111, "lines": 111, "different": 111} == seen["second_kill"]


def test_a_broken_file_fails_the_reload_and_changes_nothing(seen: Any) -> None:
    assert 0 != seen["broken_reload"][0]
    assert "sinks[1].type: missing" in seen["broken_log"]
    assert 0 == seen["good_reload"]


def test_writes_outside_its_directories_are_refused(seen: Any) -> None:
    assert ["etc", "home", "program"] == sorted(seen["refused"])
    assert all("Read-only" in why or "Permission denied" in why for why in seen["refused"].values())
    assert [True] == [path.startswith("/tmp/systemd-private-") for path in seen["evil"]], "its own /tmp, and only there"


def test_without_the_platform_it_starts_says_why_and_comes_back(seen: Any) -> None:
    assert seen["lost_status"] < 15.0
    code, seconds = seen["start_without_platform"]
    assert 0 == code
    assert seconds < 15.0
    state, text = seen["status_without_platform"]
    assert "active" == state
    assert text.startswith("not connected since 20")
    assert "Connection refused" in text
    assert seen["back"] < 5.0


def test_priorities_in_the_journal_are_the_levels(seen: Any) -> None:
    assert [["error", "3"], ["info", "6"], ["warning", "4"]] == seen["priorities"]
    assert ["3"] == seen["error_priorities"]


def test_it_stops_within_five_seconds(seen: Any) -> None:
    code, seconds = seen["stop"]
    assert 0 == code
    assert seconds < 5.0
    assert ["inactive", "success", "0"] == seen["stopped"]
    assert 3 == seen["stopped_status"][0]


def test_a_wrong_secret_fails_it_with_78_and_no_restart(seen: Any) -> None:
    assert 0 != seen["wrong_start"]
    assert ["failed", "exit-code", "78", "0"] == seen["wrong_secret"]


def test_an_encrypted_credential(seen: Any) -> None:
    assert (0, 0) == (seen["encrypt"][0], seen["encrypted_start"][0])
    assert "active" == seen["encrypted"][0]


def test_one_of_several_apps(seen: Any) -> None:
    assert (0, 0) == (seen["instance"][0], seen["instance_gone"][0])
    assert ["active", "helpdesk-listen"] == seen["instance_state"]
    assert [True, True] == seen["instance_files"]


def test_a_users_own_service(seen: Any) -> None:
    assert (0, "active", 0, 0) == (
        seen["user_install"][0],
        seen["user_state"],
        seen["user_status"][0],
        seen["user_gone"][0],
    )


def test_a_program_in_roots_home_is_refused_with_the_cure(seen: Any) -> None:
    code, said = seen["out_of_reach"]
    assert 78 == code
    assert "the service sees nothing under /root" in said
    assert "python3 -m venv /opt/helpdesk-listen" in said


def test_uninstalled_twice_and_the_data_stays(seen: Any) -> None:
    assert (0, 0) == (seen["uninstall"][0], seen["uninstall_again"][0])
    assert [False, True, True] == seen["left"]
