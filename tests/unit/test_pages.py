"""The pages for users: the two languages say the same, links lead somewhere, commands and options exist."""

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from typer.main import get_command

from listener.cli.main import app

ROOT = Path(__file__).parents[2]
PAIRS = ("README.md", "listener/sinks/README.md", "listener/sources/README.md", "systemd/README.md")
COMMENT = {"toml": r"(?<!\S)#.*", "sh": r"(?<!\S)#.*", "python": r"(?<!\S)#(?!!).*", "sql": "--.*", "js": "//.*"}
SPEC = re.compile(r"^ {0,3}(```+)(\w*)\n(.*?)^ {0,3}\1$", re.MULTILINE | re.DOTALL)
BEFORE = r"^|[$] |&& |sudo |-u helpdesk-listen |[.]venv/bin/"  # what stands before a command of ours


def listed() -> list[str]:
    """Every page of Markdown that git knows, or is about to."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def chinese(page: str) -> str:
    return read(page.replace(".md", ".zh-CN.md"))


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, code without comments and without the blanks before them)."""
    found = ((language, re.sub(COMMENT.get(language, "(?!)"), "", code)) for _, language, code in SPEC.findall(text))
    return [
        (language, "\n".join(line.rstrip() for line in code.splitlines() if line.strip())) for language, code in found
    ]


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ .*", SPEC.sub("", text), re.MULTILINE)


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings in links."""
    words = (heading.lstrip("# ").lower() for heading in headings(text))
    return {re.sub(r"[^\w\- ]", "", word).replace(" ", "-") for word in words}


@pytest.mark.parametrize("page", PAIRS)
def test_both_languages_have_the_same_headings(page: str) -> None:
    levels = [[len(heading.split()[0]) for heading in headings(text)] for text in (read(page), chinese(page))]
    assert levels[0] == levels[1]


@pytest.mark.parametrize("page", PAIRS)
def test_both_languages_have_the_same_code(page: str) -> None:
    assert blocks(read(page)) == blocks(chinese(page))


@pytest.mark.parametrize("page", PAIRS)
def test_both_languages_name_the_same_settings_and_commands(page: str) -> None:
    assert named(read(page)) == named(chinese(page))


def named(text: str) -> set[str]:
    """Settings, options and commands in backquotes, outside code blocks."""
    words = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", SPEC.sub("", text))
    return {
        word
        for word in words
        if re.fullmatch(r"--[a-z-]+|[a-z_]+(\.[a-z_]+)+|[a-z]+(_[a-z]+)+|helpdesk-listen .*", word)
    }


@pytest.mark.parametrize("page", listed())
def test_links_lead_to_something(page: str) -> None:
    text = SPEC.sub("", read(page))
    for link in re.findall(r'\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"', text):
        path, _, anchor = unquote(link[0] or link[1]).partition("#")
        if "://" in path:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{path}#{anchor}"


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_first_page_is_short(page: str) -> None:
    assert 220 >= len(read(page).splitlines())


@pytest.mark.parametrize("page", PAIRS)
def test_commands_and_options_exist(page: str) -> None:
    """In code blocks, and where a command stands in backquotes."""
    shells = [code for language, code in blocks(read(page)) if language in ("sh", "console")]
    spoken = re.findall(r"(?<!`)`([^`\n]*helpdesk-listen [^`\n]+)`(?!`)", SPEC.sub("", read(page)))
    for line in "\n".join([*shells, *spoken]).splitlines():
        for call in re.findall(rf"(?:{BEFORE})helpdesk-listen ([^|&;]+)", line):
            _check(call.split())


def _check(words: list[str]) -> None:
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands") or not words or words[0].startswith("-"), words
    known = {"--help", *(option for one in command.params for option in (*one.opts, *one.secondary_opts))}
    assert {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= known, words
