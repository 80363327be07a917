"""`service` where nothing is installed; installing is tests/systemd's business."""

import os
import sys
from pathlib import Path

import pytest

from listener.install.steps import SYSTEMD
from tests.inprocess import Commands

PROGRAM = Path(sys.prefix, "bin", "helpdesk-listen")


def test_the_unit_is_printed_with_this_very_program(commands: Commands) -> None:
    printed = commands.run("service", "print")
    assert 0 == printed.rc
    assert f"ExecStart={PROGRAM} start --config /etc/helpdesk-listen/config.toml\n" in printed.out
    assert "%i" in commands.run("service", "print", "--instance", "shop").out
    assert "WantedBy=default.target" in commands.run("service", "print", "--user").out


@pytest.mark.parametrize("name", ["a/b", "../up", "-x", " ", "a@b"])
def test_an_instances_name_is_a_name(name: str, commands: Commands) -> None:
    assert 2 == commands.run("service", "print", f"--instance={name}").rc


def test_a_user_has_one_service(commands: Commands) -> None:
    assert 2 == commands.run("service", "print", "--user", "--instance", "shop").rc


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_the_systems_service_needs_root(command: str, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    refused = commands.run("service", command)
    assert 1 == refused.rc
    assert "a service of the system needs root" in refused.err


@pytest.mark.skipif(SYSTEMD.exists(), reason="it would be enabled in this user's own systemd")
def test_a_users_service_is_installed_again_and_removed(commands: Commands) -> None:
    config = commands.home / ".config" / "helpdesk-listen"
    first = commands.run("service", "install", "--user", "--app-id", "cli_mine", FEISHU_APP_SECRET="")
    assert 0 == first.rc, first.all
    assert 'app_id = "cli_mine"' in (config / "config.toml").read_text(encoding="utf-8")
    assert f"next: write the app secret into {config / 'app_secret'}" in first.err
    assert "loginctl enable-linger" in first.err
    second = commands.run("service", "install", "--user", "--now", FEISHU_APP_SECRET="hush-hush")
    assert (0, False) == (second.rc, "hush-hush" in second.all)
    assert "hush-hush\n" == (config / "app_secret").read_text(encoding="utf-8")
    assert ("write the app secret" in second.err, "restart" in second.err) == (False, False)
    removed = commands.run("service", "uninstall", "--user")
    assert (0, True) == (removed.rc, f"kept {config}" in removed.out)
    assert "cli_mine" in (config / "config.toml").read_text(encoding="utf-8")
