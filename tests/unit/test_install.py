import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from listener.base.errors import ListenError
from listener.install.plan import Layout, config_text, installation, removal, unit_text
from listener.install.reach import obstacle
from listener.install.steps import Absent, Command, Directory, File, InstallStep, carry_out
from listener.settings.config import load

PROGRAM = Path("/opt/venv/bin/helpdesk-listen")
SYSTEM, SHOP, USER = Layout(), Layout(instance="shop"), Layout(home=Path("/home/kim"))


def _summary(layout: Layout, **more: object) -> list[str]:
    lines = []
    for step in installation(layout, PROGRAM, **more):  # type: ignore[arg-type]
        match step:
            case Directory() | File():
                lines.append(f"{step.path} {step.mode:04o} {step.owner.user}:{step.owner.group}")
            case Absent():
                lines.append(f"no {step.path}")
            case Command():
                lines.append(" ".join(step.argv))
    return lines


def test_what_an_installation_consists_of() -> None:
    assert [
        "/etc/sysusers.d 0755 root:root",
        "/etc/sysusers.d/helpdesk-listen.conf 0644 root:root",
        "systemd-sysusers /etc/sysusers.d/helpdesk-listen.conf",
        "/etc/helpdesk-listen 0750 root:helpdesk-listen",
        "/etc/helpdesk-listen/config.toml 0640 root:helpdesk-listen",
        "/etc/helpdesk-listen/app_secret 0600 root:root",
        "/etc/systemd/system 0755 root:root",
        "/etc/systemd/system/helpdesk-listen.service 0644 root:root",
        "systemctl daemon-reload",
        "systemctl enable helpdesk-listen.service",
        "systemctl restart helpdesk-listen.service",
    ] == _summary(SYSTEM, now=True)


def test_an_instance_has_directories_of_its_own() -> None:
    assert [
        "/etc/helpdesk-listen 0750 root:helpdesk-listen",
        "/etc/helpdesk-listen/shop 0750 root:helpdesk-listen",
        "/etc/helpdesk-listen/shop/config.toml 0640 root:helpdesk-listen",
        "/etc/helpdesk-listen/shop/app_secret 0600 root:root",
        "/etc/systemd/system 0755 root:root",
        "/etc/systemd/system/helpdesk-listen@.service 0644 root:root",
        "systemctl daemon-reload",
        "systemctl enable helpdesk-listen@shop.service",
    ] == _summary(SHOP)[3:]


def test_a_users_own_service_needs_nobody_else() -> None:
    assert [
        "/home/kim/.config/helpdesk-listen 0700 None:None",
        "/home/kim/.local/state/helpdesk-listen 0700 None:None",
        "/home/kim/.config/helpdesk-listen/config.toml 0600 None:None",
        "/home/kim/.config/helpdesk-listen/app_secret 0600 None:None",
        "/home/kim/.config/systemd/user 0755 None:None",
        "/home/kim/.config/systemd/user/helpdesk-listen.service 0644 None:None",
        "systemctl --user daemon-reload",
        "systemctl --user enable helpdesk-listen.service",
    ] == _summary(USER)


def test_the_configuration_is_a_services() -> None:
    text = config_text(SHOP, 'cli_"quoted"', "https://open.larksuite.com")
    file = Path("/etc/helpdesk-listen/shop/config.toml")
    assert 'app_secret_file = "/etc/helpdesk-listen/shop/app_secret"' in text
    assert "app_secret =" not in text
    assert 'app_id = "cli_\\"quoted\\""' in text
    assert 'path = "/var/lib/helpdesk-listen/shop/helpdesk.db"' in text
    assert str(file) not in text


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(config_text(SYSTEM, "cli_a", "https://open.feishu.cn"), encoding="utf-8")
    settings = load(file, {})
    assert ("cli_a", Path("/var/lib/helpdesk-listen/helpdesk.db")) == (settings.feishu.app_id, settings.journal.path)
    assert ["/var/log/helpdesk-listen/tickets.jsonl"] == [str(getattr(sink, "path", "")) for sink in settings.sinks]
    assert "/etc/helpdesk-listen/app_secret" == settings.feishu.app_secret.where


@pytest.mark.parametrize("layout", [SYSTEM, SHOP, USER], ids=["system", "instance", "user"])
def test_the_unit_names_the_program(layout: Layout) -> None:
    text = unit_text(layout, PROGRAM)
    assert 2 == text.count(f"={PROGRAM} ")
    assert "/opt/helpdesk-listen" not in text


def test_a_removal_leaves_what_is_the_operators() -> None:
    assert [
        Command(("systemctl", "disable", "--now", "helpdesk-listen.service"), may_fail=True),
        Absent(Path("/etc/systemd/system/helpdesk-listen.service")),
        Command(("systemctl", "daemon-reload")),
    ] == removal(SYSTEM)
    assert not any(isinstance(step, Absent) for step in removal(SHOP)), "other instances use the template"


def without_systemd(of: list[InstallStep]) -> list[InstallStep]:
    """The same on a machine that systemd does not run on."""
    gone = Path("/not here")
    return [replace(step, running=gone) if isinstance(step, Command) else step for step in of]


def test_doing_it_twice_changes_nothing_more(tmp_path: Path) -> None:
    layout = Layout(home=tmp_path)
    first: list[str] = []
    carry_out(without_systemd(installation(layout, PROGRAM, app_id="cli_a", secret="s3cret\n")), first.append)
    (layout.config / "config.toml").write_text("# mine\n", encoding="utf-8")
    (layout.config / "config.toml").chmod(0o666)
    second: list[str] = []
    carry_out(without_systemd(installation(layout, PROGRAM)), second.append)

    assert f"wrote {layout.config}/config.toml (0600)" in first
    assert f"left {layout.config}/config.toml (0600)" in second
    assert "# mine\n" == (layout.config / "config.toml").read_text(encoding="utf-8")
    assert 0o600 == stat.S_IMODE((layout.config / "config.toml").stat().st_mode)
    assert "s3cret\n" == (layout.config / "app_secret").read_text(encoding="utf-8")
    assert f"left {layout.unit_file} (0644)" in second
    assert "left out, since systemd does not run here: systemctl --user daemon-reload" in second
    assert {"app_secret", "config.toml"} == {path.name for path in layout.config.iterdir()}


def test_a_new_secret_replaces_the_old_one(tmp_path: Path) -> None:
    layout = Layout(home=tmp_path)
    for secret in ("old\n", "new\n"):
        carry_out(without_systemd(installation(layout, PROGRAM, secret=secret)), lambda line: None)
    assert "new\n" == (layout.config / "app_secret").read_text(encoding="utf-8")


def test_a_command_that_fails_is_told_in_its_own_words() -> None:
    failing = Command(("sh", "-c", "echo no such unit >&2; exit 5"), needs_systemd=False)
    with pytest.raises(ListenError, match="no such unit"):
        carry_out([failing], lambda line: None)


def test_what_may_fail_does_not_stop_the_rest() -> None:
    told: list[str] = []
    carry_out([Command(("false",), needs_systemd=False, may_fail=True)], told.append)
    assert ["ran false"] == told


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ListenError, match="file"):
        carry_out([Directory(path=tmp_path / "file" / "below", mode=0o755)], lambda line: None)


def _modes(**closed: int) -> "dict[str, int]":
    directory, file = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755
    known = {"/": directory, "/opt": directory, "/opt/venv": directory, "/opt/venv/python": file}
    return known | {f"/{name.replace('_', '/')}": mode for name, mode in closed.items()}


REACH = {
    "open to all": (_modes(), "/opt/venv/python", ""),
    "a closed directory": (
        _modes(opt_venv=stat.S_IFDIR | 0o700),
        "/opt/venv/python",
        "/opt/venv is closed to others (mode 0700)",
    ),
    "a closed file": (
        _modes(opt_venv_python=stat.S_IFREG | 0o750),
        "/opt/venv/python",
        "/opt/venv/python is closed to others (mode 0750)",
    ),
    "pyenv of root": (
        _modes(root=stat.S_IFDIR | 0o755),
        "/root/.pyenv/versions/3.11/bin/python3.11",
        "the service sees nothing under /root",
    ),
    "a home": (
        _modes(home=stat.S_IFDIR | 0o755),
        "/home/kim/venv/bin/python",
        "the service sees nothing under /home",
    ),
}


@pytest.mark.parametrize("case", REACH)
def test_whether_the_services_user_gets_there(case: str) -> None:
    modes, path, expected = REACH[case]

    def look(each: str) -> os.stat_result:
        return os.stat_result((modes[each], *[0] * 9))

    assert expected == obstacle(path, look)


def test_a_link_is_followed_to_where_it_leads(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "python").touch()
    (tmp_path / "python").symlink_to(closed / "python")

    def look(each: str) -> os.stat_result:
        return os.stat_result((stat.S_IFDIR | (0o700 if each == str(closed) else 0o755), *[0] * 9))

    assert f"{closed} is closed to others (mode 0700)" == obstacle(str(tmp_path / "python"), look, hidden=())
