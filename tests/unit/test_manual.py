"""The manual pages: every command, every setting and every exit code is in them, and groff has nothing to say."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import typer

from listener.base import errors
from listener.cli.main import app
from listener.cli.manual import EXIT_STATUS, pages
from listener.settings.reference import settings

PAGES = pages()
PROGRAM, SETTINGS = PAGES["man1/helpdesk-listen.1"], PAGES["man5/helpdesk-listen.toml.5"]


def plain(roff: str) -> str:
    return re.sub(r"\\f[BIP]|\\&", "", roff).replace(r"\-", "-").replace(r"\e", "\\")


def test_every_command_has_its_part_with_every_option() -> None:
    root: Any = typer.main.get_command(app)
    text = plain(PROGRAM)
    for name, command in root.commands.items():
        assert f".SS helpdesk-listen {name}" in text
        for option in (
            option for one in command.params if one.name != "help" for option in one.opts if option.startswith("--")
        ):
            assert option in text, (name, option)


def test_every_exit_code_is_told() -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EX_")}
    assert codes == set(EXIT_STATUS)


def test_every_setting_is_told() -> None:
    text = plain(SETTINGS)
    assert [] == [one.key for one in settings() if one.key not in text]
    assert PAGES["zh_CN/man5/helpdesk-listen.toml.5"].count("\n.TP\n") == SETTINGS.count("\n.TP\n")


@pytest.mark.parametrize("name", PAGES)
def test_no_line_is_taken_for_a_macro_that_is_none(name: str) -> None:
    macros = {line.split()[0] for line in PAGES[name].splitlines() if line.startswith((".", "'"))}
    assert macros <= {".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi", ".br", ".ad"}


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
@pytest.mark.parametrize("name", PAGES)
def test_groff_has_nothing_to_say(name: str) -> None:
    warnings = [f"-w{kind}" for kind in ("char", "escape", "font", "input", "mac", "missing", "number", "syntax")]
    command = ["groff", "-man", "-Kutf8", "-Tutf8", "-z", *warnings, "-Wbreak"]
    done = subprocess.run(command, input=PAGES[name].encode(), capture_output=True, check=False)
    assert (0, b"") == (done.returncode, done.stderr)
