"""Plans what an installation consists of. Pure, but for reading the texts that come with the package."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from listener.install.steps import ME, Absent, Command, Directory, File, InstallStep, Owner
from listener.settings.config import FeishuSettings, template

NAME = "helpdesk-listen"
PACKAGED = f"/opt/{NAME}/bin/{NAME}"  # the program as the packaged units have it
ROOT = Owner(user="root", group="root")
_UNITS = Path(__file__).with_name("units")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where things go: for the whole machine, for one of several apps on it (`instance`), or for one user."""

    instance: str = ""
    home: Path | None = None  # of the user whose own service it is; None: the system's

    @property
    def unit(self) -> str:
        return f"{NAME}@{self.instance}.service" if self.instance else f"{NAME}.service"

    @property
    def unit_file(self) -> Path:
        name = f"{NAME}@.service" if self.instance else f"{NAME}.service"
        return (self.home / ".config/systemd/user" if self.home else Path("/etc/systemd/system")) / name

    @property
    def config(self) -> Path:
        return (self.home / ".config" if self.home else Path("/etc")) / NAME / self.instance

    @property
    def state(self) -> Path:
        return (self.home / ".local/state" if self.home else Path("/var/lib")) / NAME / self.instance

    @property
    def logs(self) -> Path:
        return self.state if self.home else Path("/var/log", NAME, self.instance)

    @property
    def systemctl(self) -> tuple[str, ...]:
        return ("systemctl", "--user") if self.home else ("systemctl",)


def unit_text(layout: Layout, program: Path) -> str:
    """Returns the unit as it is installed."""
    name = "user.service" if layout.home else layout.unit_file.name
    return _packaged(name).replace(PACKAGED, str(program))


def config_text(layout: Layout, app_id: str, domain: str) -> str:
    """Returns the template filled in for a service: absolute paths, the secret elsewhere, a file for the events."""
    text = template()
    for before, after in (
        ('app_id = ""\napp_secret = ""', f"app_id = {_quoted(app_id)}"),
        ('#app_secret_file = "app_secret"', f"app_secret_file = {_quoted(layout.config / 'app_secret')}"),
        ('#domain = "https://open.feishu.cn"', f"domain = {_quoted(domain)}"),
        ('#path = "helpdesk.db"', f"path = {_quoted(layout.state / 'helpdesk.db')}"),
        ('name = "stdout"', 'name = "archive"'),
        ('type = "stdout"', f'type = "file"\npath = {_quoted(layout.logs / "tickets.jsonl")}'),
    ):
        if text.count(before) != 1:
            raise AssertionError(f"the template has changed: {before}")
        text = text.replace(before, after)
    return text


def installation(
    layout: Layout, program: Path, *, app_id: str = "", domain: str = "", secret: str | None = None, now: bool = False
) -> list[InstallStep]:
    """Returns the steps; a `secret` of None keeps what is there, or makes an empty file; `now` also (re)starts it."""
    system = layout.home is None
    owner, root = (Owner(user="root", group=NAME), ROOT) if system else (ME, ME)
    config = config_text(layout, app_id, domain or str(_default_domain()))
    steps: list[InstallStep] = _account() if system else []
    steps += [Directory(path=path, mode=0o750 if system else 0o700, owner=owner) for path in _directories(layout)]
    steps += [
        File(path=layout.config / "config.toml", text=config, mode=0o640 if system else 0o600, owner=owner, keep=True),
        File(path=layout.config / "app_secret", text=secret or "", mode=0o600, owner=root, keep=secret is None),
        Directory(path=layout.unit_file.parent, mode=0o755, owner=root),
        File(path=layout.unit_file, text=unit_text(layout, program), mode=0o644, owner=root),
        Command((*layout.systemctl, "daemon-reload")),
        Command((*layout.systemctl, "enable", layout.unit)),
    ]
    return [*steps, Command((*layout.systemctl, "restart", layout.unit))] if now else steps


def removal(layout: Layout) -> list[InstallStep]:
    """Returns the steps that remove the service; configuration, journal, events, user and a template of units stay."""
    steps: list[InstallStep] = [Command((*layout.systemctl, "disable", "--now", layout.unit), may_fail=True)]
    if not layout.instance:
        steps.append(Absent(layout.unit_file))
    return [*steps, Command((*layout.systemctl, "daemon-reload"))]


def _account() -> list[InstallStep]:
    path = Path(f"/etc/sysusers.d/{NAME}.conf")
    return [
        Directory(path=path.parent, mode=0o755, owner=ROOT),
        File(path=path, text=_packaged("sysusers.conf"), mode=0o644, owner=ROOT),
        Command(("systemd-sysusers", str(path)), needs_systemd=False),
    ]


def _directories(layout: Layout) -> list[Path]:
    """Returns the directories to make; systemd makes those of state and logs, but for a user's own service."""
    parents = [layout.config.parent] if layout.instance else []
    return [*parents, layout.config, *([layout.state] if layout.home else [])]


def _packaged(name: str) -> str:
    return (_UNITS / name).read_text(encoding="utf-8")


def _quoted(value: str | os.PathLike[str]) -> str:
    """Returns a basic string of TOML, which JSON's escapes suit."""
    return msgspec.json.encode(os.fspath(value)).decode()


def _default_domain() -> object:
    return next(f.default for f in msgspec.structs.fields(FeishuSettings) if f.name == "domain")
