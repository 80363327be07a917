"""What strangers write is data: no escape for a terminal, no line of its own, no secret under another name."""

import json
import os
from pathlib import Path

import pytest

from listener.base.errors import Lost, Unavailable
from listener.base.files import for_the_group, make_directories
from listener.base.text import escaped, on_one_line, printable
from listener.cli.tail_view import clean
from listener.event import FORMATS, Received
from listener.observe.hosts import is_ours
from tests import samples

HOSTILE = "a\x1b[2Jb\x07c\x9bd\u202ee\u2066f\u061cg\u200bh\ufeffi\U000e0041j\x85k\u2028l\u2029m"


@pytest.mark.parametrize("made", [printable, clean, lambda t: str(Unavailable(t)), lambda t: str(Lost(t, cause="x"))])
def test_foreign_words_are_printable(made: object) -> None:
    text = made(HOSTILE)  # type: ignore[operator]
    assert text.isprintable()
    assert "abcdefghijklm" == text.replace(" ", "").replace("[2J", "")


@pytest.mark.parametrize("form", FORMATS)
def test_no_character_of_a_text_ends_a_line(form: str) -> None:
    payload = samples.encode(samples.example("e1", text="one\x85two\u2028three\u2029four 飞书“”"))
    line = FORMATS[form](Received(1, "e1", "t", 1, payload)).decode()
    assert [line] == line.splitlines()
    assert "\\u0085" in line
    assert "飞书“”" in line


def test_json_stays_the_same_value() -> None:
    assert b'"\\u2028\\u2029\\u0085\xe2\x80\x9c"' == on_one_line('"\u2028\u2029\x85“"'.encode())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "place",
    [("header", "Token"), ("header", "TOKEN"), ("event", "token"), ("", "toKen"), ("header", "verification_token")],
)
def test_the_verification_token_under_another_name_reaches_no_sink(form: str, place: tuple[str, str]) -> None:
    envelope = samples.example("e1")
    (envelope[place[0]] if place[0] else envelope)[place[1]] = "v-secret-v"
    assert b"v-secret-v" not in FORMATS[form](Received(1, "e1", "t", 1, samples.encode(envelope)))


@pytest.mark.parametrize("umask", [0, 0o077])
def test_directories_and_files_have_their_modes_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_directories(tmp_path / "a" / "b", 0o750)
        os.close(for_the_group(str(tmp_path / "a" / "file"), os.O_CREAT | os.O_WRONLY))
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/file")]
    assert [0o750, 0o750, 0o640] == modes


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1:9464", True),
        ("[::1]:9464", True),
        ("10.0.0.7", True),
        ("localhost", True),
        ("127.0.0.1.evil.test", False),
        ("localhost.evil.test:9464", False),
        ("evil.test", False),
        ("[::1", False),
    ],
)
def test_a_foreign_host_is_not_answered(host: str, ours: bool) -> None:
    assert ours is is_ours(host, "127.0.0.1:9464")


def test_json_on_a_terminal_is_printable_and_the_same_value() -> None:
    text = json.dumps({"text": HOSTILE}, ensure_ascii=False)
    assert escaped(text).isprintable()
    assert {"text": HOSTILE} == json.loads(escaped(text))
