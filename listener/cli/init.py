"""init: writes a config.toml to begin with."""

import os
from pathlib import Path
from typing import Annotated

import typer

from listener.cli.options import note


def init(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("config.toml"),
) -> None:
    """Write a commented config.toml, never over an existing one. 生成配置文件。

    Only its owner may read it (mode 0600), since it may hold a secret.
    """
    from listener.base.errors import ConfigError
    from listener.settings.config import template

    target = context.obj or path
    try:
        fd = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError(f"{target} exists and is left as it is", hint="name another path, or move it away") from None
    except OSError as e:
        raise ConfigError(f"{target}: {e.strerror}") from e
    with open(fd, "w", encoding="utf-8") as file:
        file.write(template())
    note(
        f"wrote {target} (0600). Next: fill in app_id and app_secret, then: helpdesk-listen check -c {target} --online"
    )
