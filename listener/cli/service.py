"""service: installs the daemon as a service of systemd, and removes it."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from listener.base.terminal import is_terminal
from listener.cli.options import emit, note

if TYPE_CHECKING:
    from listener.install.plan import Layout

app = typer.Typer(
    name="service", no_args_is_help=True, help="Install, remove or print the service of systemd. 安装为系统服务。"
)
User = Annotated[bool, typer.Option("--user", help="This user's own service, without root.")]
Instance = Annotated[
    str, typer.Option(metavar="NAME", help="One of several apps on this machine: helpdesk-listen@NAME.")
]


@app.command()
def install(
    user: User = False,
    instance: Instance = "",
    app_id: Annotated[str, typer.Option(envvar="FEISHU_APP_ID", help="For a new config.toml.")] = "",
    domain: Annotated[str, typer.Option(envvar="FEISHU_DOMAIN", help="For a new config.toml.")] = "",
    now: Annotated[bool, typer.Option("--now", help="Start it too, or start it again.")] = False,
) -> None:
    """Install and enable the service. Safe to run twice. 安装并启用服务。

    Writes unit, configuration and credential. The app secret comes from $FEISHU_APP_SECRET, else it is asked for. What
    is configured already is left as it is.
    """
    from listener.install.plan import installation
    from listener.install.reach import check_reach, program
    from listener.install.steps import carry_out

    layout, path = _layout(user, instance), program()
    if not user:
        _need_root()
        check_reach(path)
    secret = _secret(layout)
    carry_out(installation(layout, path, app_id=app_id, domain=domain, secret=secret, now=now), emit)
    _what_next(layout, now)


@app.command()
def uninstall(user: User = False, instance: Instance = "") -> None:
    """Stop and remove the service. 停止并移除服务。

    Configuration, journal and events stay.
    """
    from listener.install.plan import removal
    from listener.install.steps import carry_out

    layout = _layout(user, instance)
    if not user:
        _need_root()
    carry_out(removal(layout), emit)
    kept = dict.fromkeys(str(path) for path in (layout.config, layout.state, layout.logs) if path.exists())
    emit(f"kept {', '.join([*kept, *([] if user else ['the user helpdesk-listen'])]) or 'nothing'}")


@app.command("print")
def print_(user: User = False, instance: Instance = "") -> None:
    """Print the unit that `install` would write. 打印 unit 文件。"""
    from listener.install.plan import unit_text
    from listener.install.reach import program

    emit(unit_text(_layout(user, instance), program()))


def _layout(user: bool, instance: str) -> "Layout":
    from listener.install.plan import Layout

    if instance and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", instance):
        raise typer.BadParameter(
            "letters, digits, _ . and -, beginning with a letter or digit", param_hint="--instance"
        )
    if instance and user:
        raise typer.BadParameter("a user's own service is one", param_hint="--instance")
    return Layout(instance=instance, home=Path.home() if user else None)


def _need_root() -> None:
    from listener.base.errors import ListenError

    if os.geteuid() != 0:
        raise ListenError("a service of the system needs root", hint="sudo, or --user for a service of your own")


def _secret(layout: "Layout") -> str | None:
    """Returns the secret to install, None where the one that is there stays."""
    if given := os.environ.get("FEISHU_APP_SECRET"):
        return f"{given}\n"
    file = layout.config / "app_secret"
    if (file.exists() and file.stat().st_size) or not is_terminal(sys.stdin):
        return None
    asked: str = typer.prompt("App Secret (hidden; empty: later)", default="", hide_input=True, show_default=False)
    return f"{asked}\n" if asked else None


def _what_next(layout: "Layout", now: bool) -> None:
    config, systemctl = layout.config, " ".join(layout.systemctl)
    if not (config / "app_secret").stat().st_size:
        note(f"next: write the app secret into {config / 'app_secret'}")
    note(
        f"next: look through {config / 'config.toml'}, then: helpdesk-listen check -c {config / 'config.toml'} --online"
    )
    if not now:
        note(f"next: {systemctl} restart {layout.unit}")
    if layout.home:
        note("next: loginctl enable-linger, so that it starts at boot and stays after you log out")
