"""Inside the box: installs the service, does to it what life does, and prints what was seen as one JSON document.

Run by the Python of the venv that the wheel was installed in. It judges nothing; tests/systemd/test_box.py does.
"""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

from listener.simulator import PlatformThread
from tests.systemd.inside import (
    APP,
    CONFIG,
    DROP_IN,
    EVENTS,
    PROGRAM,
    SECRET,
    UNIT,
    Feed,
    events,
    main_pid,
    run,
    running_again,
    show,
    timed,
    until,
)

seen: dict[str, Any] = {}


def install(stand_in: PlatformThread) -> None:
    env = {**APP, "FEISHU_DOMAIN": stand_in.url}
    seen["install"] = run(PROGRAM, "service", "install", **env)
    seen["start"] = timed("systemctl", "start", UNIT)
    seen["again"] = run(PROGRAM, "service", "install")
    seen["enabled"] = run("systemctl", "is-enabled", UNIT)[1].strip()
    unit = f"/etc/systemd/system/{UNIT}"
    seen["verify"] = run("systemd-analyze", "verify", unit)
    seen["security"] = run("systemd-analyze", "security", UNIT)[1].splitlines()[-1]


def process() -> None:
    pid = main_pid()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    seen["process"] = {key: status[key].strip() for key in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")}
    seen["user"] = run("ps", "-o", "user=", "-p", str(pid))[1].strip()
    environ = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    seen["environment"] = sorted(line.split("=")[0] for line in environ if line)
    paths = (CONFIG, SECRET, Path("/var/lib/helpdesk-listen"), EVENTS, Path("/var/lib/helpdesk-listen/helpdesk.db"))
    seen["files"] = {str(path): f"{path.owner()}:{path.group()} {path.stat().st_mode & 0o7777:04o}" for path in paths}


def people() -> None:
    """Who may look: a member of the group, and somebody who is not."""
    for name, groups in (("kim", ("-G", "helpdesk-listen")), ("lee", ())):
        run("useradd", "-m", *groups, name)
        as_them = ("runuser", "-u", name, "--")
        seen[f"{name}_status"] = run(*as_them, PROGRAM, "status", "-c", str(CONFIG))
        seen[f"{name}_events"] = run(*as_them, "head", "-n1", str(EVENTS))[0]
        seen[f"{name}_secret"] = run(*as_them, "cat", str(SECRET))[0]
    seen["root_status"] = run(PROGRAM, "status")


def crash(feed: Feed) -> None:
    old = main_pid()
    feed.push(40, pause=0.01)
    os.kill(old, signal.SIGKILL)
    began = time.monotonic()
    feed.push(40, pause=0.01)
    until(lambda: running_again(old), "running again")
    seen["after_kill"] = time.monotonic() - began
    seen["kill"] = feed.complete()


def hang() -> None:
    DROP_IN.parent.mkdir(exist_ok=True)
    DROP_IN.write_text("[Service]\nWatchdogSec=2\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", UNIT)
    pid = main_pid()
    time.sleep(3)  # longer than the watchdog waits: a healthy daemon stays
    seen["fed"] = main_pid() == pid
    os.kill(pid, signal.SIGSTOP)
    seen["after_stop"] = until(lambda: running_again(pid), "restarted by the watchdog")
    seen["watchdog_log"] = run("journalctl", "-u", UNIT, "--grep", "[Ww]atchdog", "-o", "cat")[1]
    seen["stacks"] = run("journalctl", "-u", UNIT, "--grep", "Fatal Python error: Aborted", "-o", "cat")[0]
    DROP_IN.unlink()
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", UNIT)


def reload(feed: Feed) -> None:
    pid, good = main_pid(), CONFIG.read_text()
    accepted = feed.stand_in.call(lambda: feed.stand_in.platform.counts["accepted"])
    extra = "".join(
        f'\n[[sinks]]\nname = "{name}"\ntype = "file"\npath = "{path}"\n'
        for name, path in (
            ("second", "/var/log/helpdesk-listen/second.jsonl"),
            ("etc", "/etc/helpdesk-listen/evil.jsonl"),
            ("home", "/home/kim/evil.jsonl"),
            ("program", f"{sys.prefix}/evil.jsonl"),
            ("tmp", "/tmp/evil.jsonl"),
        )
    )
    CONFIG.write_text(good + extra)
    seen["reload"] = run("systemctl", "reload", UNIT)  # returns once the signal is sent
    until(lambda: "second" in {sink["name"] for sink in _sinks()}, "the new sink in status")
    feed.push(1)
    seen["second"] = until(lambda: len(events(Path("/var/log/helpdesk-listen/second.jsonl"))) == 1, "the new sink")
    until(lambda: len(_failing()) == 3, "three sinks that may not write")
    seen["refused"] = _failing()
    seen["evil"] = [str(path) for root in ("/etc", "/home", "/opt", "/tmp") for path in Path(root).rglob("evil.jsonl")]
    CONFIG.write_text(good + "\n[[sinks]]\nnmae = 'x'\n")
    seen["broken_reload"] = run("systemctl", "reload", UNIT)
    seen["broken_log"] = run("journalctl", "-u", UNIT, "-p", "err", "-o", "cat", "-n", "5")[1]
    os.kill(pid, signal.SIGHUP)  # past the check of ExecReload
    until(lambda: "reload refused" in run("journalctl", "-u", UNIT, "-p", "err", "-o", "cat")[1], "the refusal")
    CONFIG.write_text(good)
    seen["good_reload"] = run("systemctl", "reload", UNIT)[0]
    seen["same_process"] = main_pid() == pid
    seen["same_connection"] = accepted == feed.stand_in.call(lambda: feed.stand_in.platform.counts["accepted"])
    seen["second_kill"] = feed.complete()


def _sinks() -> list[dict[str, Any]]:
    return list(json.loads(run(PROGRAM, "status", "--json")[1])["sinks"])


def _failing() -> dict[str, str]:
    return {sink["name"]: sink["last_error"] for sink in _sinks() if sink["last_error"]}


def platform_gone(stand_in: PlatformThread) -> None:
    port = stand_in.platform.port
    stand_in.call(stand_in.platform.close)
    seen["lost_status"] = until(lambda: show("StatusText")[0].startswith("not connected since"), "the loss in STATUS")
    seen["start_without_platform"] = timed("systemctl", "restart", UNIT)
    seen["status_without_platform"] = show("ActiveState", "StatusText")
    stand_in.call(stand_in.platform.start, "127.0.0.1", port)
    seen["back"] = until(lambda: show("StatusText")[0].startswith("connected since"), "the return in STATUS")


def priorities() -> None:
    """Each of our lines in the journal: its level and the priority that journald has for it."""
    pairs = set()
    for line in run("journalctl", "-u", UNIT, "-o", "json", "-t", "helpdesk-listen")[1].splitlines():
        entry = json.loads(line)
        message = entry["MESSAGE"] if isinstance(entry["MESSAGE"], str) else ""
        if match := re.search(r'"level": "(\w+)"', message):
            pairs.add((match[1], entry["PRIORITY"]))
    seen["priorities"] = sorted(pairs)
    errors = run("journalctl", "-u", UNIT, "-p", "err", "-o", "json")[1].splitlines()
    seen["error_priorities"] = sorted({json.loads(line)["PRIORITY"] for line in errors})


def stop() -> None:
    seen["stop"] = timed("systemctl", "stop", UNIT)
    seen["stopped"] = show("ActiveState", "Result", "ExecMainStatus")
    seen["stopped_status"] = run(PROGRAM, "status")


def wrong_secret() -> None:
    right = SECRET.read_text()
    SECRET.write_text("wrong-secret\n")
    seen["wrong_start"] = run("systemctl", "start", UNIT)[0]
    time.sleep(5)  # longer than RestartSec
    seen["wrong_secret"] = show("ActiveState", "Result", "ExecMainStatus", "NRestarts")
    SECRET.write_text(right)


def encrypted_credential() -> None:
    cred = CONFIG.with_name("app_secret.cred")
    seen["encrypt"] = run("systemd-creds", "encrypt", "--with-key=host", "--name=app_secret", str(SECRET), str(cred))
    packaged = next(Path(sys.prefix).rglob("encrypted-credential.conf"))
    DROP_IN.write_text(packaged.read_text())
    aside = SECRET.rename(SECRET.with_name("aside"))
    run("systemctl", "daemon-reload")
    seen["encrypted_start"] = run("systemctl", "start", UNIT)
    seen["encrypted"] = show("ActiveState", "StatusText")
    aside.rename(SECRET)
    DROP_IN.unlink()
    run("systemctl", "daemon-reload")


def instance(stand_in: PlatformThread) -> None:
    unit = "helpdesk-listen@shop.service"
    env = {**APP, "FEISHU_DOMAIN": stand_in.url}
    seen["instance"] = run(PROGRAM, "service", "install", "--instance", "shop", "--now", **env)
    seen["instance_state"] = show("ActiveState", "User", unit=unit)
    paths = ("/etc/helpdesk-listen/shop/config.toml", "/var/lib/helpdesk-listen/shop/helpdesk.db")
    seen["instance_files"] = [Path(path).exists() for path in paths]
    seen["instance_verify"] = run("systemd-analyze", "verify", f"/etc/systemd/system/{unit.replace('shop', '')}")
    seen["instance_gone"] = run(PROGRAM, "service", "uninstall", "--instance", "shop")


def of_a_user(stand_in: PlatformThread) -> None:
    run("loginctl", "enable-linger", "kim")
    uid = run("id", "-u", "kim")[1].strip()
    runtime = f"/run/user/{uid}"
    until(lambda: Path(runtime, "systemd/private").exists(), "kim's own systemd")
    as_kim = ("runuser", "-u", "kim", "--", "env", f"XDG_RUNTIME_DIR={runtime}", "HOME=/home/kim")
    env = {**APP, "FEISHU_DOMAIN": stand_in.url}
    seen["user_install"] = run(*as_kim, PROGRAM, "service", "install", "--user", "--now", **env)
    seen["user_state"] = run(*as_kim, "systemctl", "--user", "is-active", UNIT)[1].strip()
    seen["user_status"] = run(*as_kim, PROGRAM, "status", "-c", "/home/kim/.config/helpdesk-listen/config.toml")
    seen["user_gone"] = run(*as_kim, PROGRAM, "service", "uninstall", "--user")


def out_of_reach() -> None:
    """A venv in root's home, as pyenv and pip leave it there."""
    run("/usr/bin/python3", "-m", "venv", "--without-pip", "/root/venv-of-root")
    venv = Path("/root/venv-of-root")
    site = next(venv.glob("lib/python3*/site-packages"))
    (site / "there.pth").write_text(str(next(Path(sys.prefix).glob("lib/python3*/site-packages"))))
    (venv / "bin/helpdesk-listen").write_text(f"#!{venv}/bin/python\nfrom listener.cli.main import main\nmain()\n")
    (venv / "bin/helpdesk-listen").chmod(0o755)
    seen["out_of_reach"] = run(str(venv / "bin/helpdesk-listen"), "service", "install")


def uninstall() -> None:
    seen["uninstall"] = run(PROGRAM, "service", "uninstall")
    seen["uninstall_again"] = run(PROGRAM, "service", "uninstall")
    seen["left"] = [path.exists() for path in (Path(f"/etc/systemd/system/{UNIT}"), CONFIG, EVENTS)]


def main() -> None:
    with PlatformThread(scale=0.02) as stand_in:
        stand_in.platform.gateway.client_config |= {"ReconnectNonce": 0, "PingInterval": 2}
        feed = Feed(stand_in)
        install(stand_in)
        feed.push(30)
        seen["flow"] = feed.complete()
        for step in (process, people, lambda: crash(feed), hang, lambda: reload(feed)):
            step()
        platform_gone(stand_in)
        priorities()
        stop()
        for part in (wrong_secret, encrypted_credential):
            part()
        instance(stand_in)
        of_a_user(stand_in)
        out_of_reach()
        uninstall()


if __name__ == "__main__":
    try:
        main()
    finally:
        sys.stdout.write(json.dumps(seen))
