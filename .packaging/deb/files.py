"""Writes into a package's root what the listener itself renders: units, the first config.toml, the JSON Schema.

PYTHONPATH=TREE python3 files.py ROOT
"""

import json
import sys
from pathlib import Path

import listener.install
from listener.install.plan import Layout, config_text, unit_text
from listener.settings.config_schema import config_schema

PROGRAM = Path("/usr/bin/helpdesk-listen")


def files() -> dict[str, str]:
    """Text by path."""
    units = Path(listener.install.__path__[0], "units")
    return {
        "usr/lib/systemd/system/helpdesk-listen.service": unit_text(Layout(), PROGRAM),
        "usr/lib/systemd/system/helpdesk-listen@.service": unit_text(Layout(instance="x"), PROGRAM),
        "usr/lib/systemd/user/helpdesk-listen.service": unit_text(Layout(home=Path("/")), PROGRAM),
        "usr/lib/sysusers.d/helpdesk-listen.conf": (units / "sysusers.conf").read_text("utf-8"),
        "usr/share/doc/helpdesk-listen/encrypted-credential.conf": (units / "encrypted-credential.conf").read_text(
            "utf-8"
        ),
        "usr/share/helpdesk-listen/config.toml": config_text(Layout(), "", "https://open.feishu.cn"),
        "usr/share/helpdesk-listen/config.schema.json": json.dumps(config_schema(), ensure_ascii=False, indent=2)
        + "\n",
    }


def main(root: Path) -> None:
    """Writes each below the root."""
    for name, text in files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
