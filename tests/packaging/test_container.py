"""What of the image and the compose file can be seen without building; `.packaging/try-image` builds and tries it."""

import re
import shutil
from pathlib import Path

from listener.settings.config import load

CONTAINER = Path(__file__).parents[2] / ".packaging" / "container"
CONTAINERFILE = (CONTAINER / "Containerfile").read_text()
COMPOSE = (CONTAINER / "compose.yaml").read_text()


def test_what_the_image_copies_is_there() -> None:
    copied = [line.split()[:-1] for line in re.findall(r"^COPY (?!--from)(.*)", CONTAINERFILE, re.MULTILINE)]
    assert copied
    assert [] == [name for names in copied for name in names if not (CONTAINER.parents[1] / name).exists()]


def test_every_file_that_the_compose_file_mounts_is_there() -> None:
    """An engine makes a directory of a file that is missing; what .gitignore names is missing in a clone."""
    mounted = re.findall(r"^ +- (\.[^:]+):", COMPOSE, re.MULTILINE)
    ignored = (CONTAINER.parents[1] / ".gitignore").read_text().split()
    assert mounted
    assert [] == [name for name in mounted if not (CONTAINER / name).is_file() or Path(name).name in ignored]


def test_the_example_names_every_variable_that_the_compose_file_must_have() -> None:
    needed = set(re.findall(r"\$\{(\w+):\?", COMPOSE))
    named = set(re.findall(r"^(\w+)=", (CONTAINER / "env.example").read_text(), re.MULTILINE))
    assert needed
    assert set() == needed - named


def test_the_health_check_is_the_same_in_both() -> None:
    (command,) = re.findall(r"^HEALTHCHECK .* CMD (.*)", CONTAINERFILE, re.MULTILINE)
    assert f'"{command}"' in COMPOSE


def test_the_mounted_settings_load_and_hold_no_secret(tmp_path: Path) -> None:
    """The container's user must be able to read the file, whoever made it."""
    file = tmp_path / "config.toml"
    shutil.copy(CONTAINER / "settings.toml", file)
    file.chmod(0o644)
    env = {"FEISHU_APP_ID": "cli_x", "FEISHU_APP_SECRET": "x", "STATE_DIRECTORY": str(tmp_path)}
    settings = load(file, env)
    assert ["postgresql"] == [sink.name for sink in settings.sinks]
    assert () == settings.warnings
