import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from listener.base import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """`configure` is for a process of its own."""
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert "" == captured.out
    return captured.err.splitlines()


def test_a_line_is_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logs.get_logger("x").warning("a sink fails", sink="hook", because="HTTP 502", hint="")
    (line,) = _lines(capsys)
    told = json.loads(line)
    told.pop("timestamp")
    assert {"event": "a sink fails", "level": "warning", "sink": "hook", "because": "HTTP 502"} == told


def test_a_library_speaks_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logging.getLogger("somelib").error("broken: %s", "wss://host/ws?access_key=abc123")
    told = json.loads(_lines(capsys)[0])
    assert ("broken: wss://host/ws?***", "error", "somelib") == (told["event"], told["level"], told["logger"])


def test_a_traceback_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    try:
        int("why")
    except ValueError:
        logs.get_logger("x").exception("it broke")
        logging.getLogger("somelib").exception("so did this")
    lines = _lines(capsys)
    assert ["it broke", "so did this"] == [json.loads(line)["event"] for line in lines]
    assert all("ValueError: invalid literal" in json.loads(line)["exception"] for line in lines)


def test_the_level_holds_for_libraries_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    logs.get_logger("x").info("quiet")
    logging.getLogger("somelib").info("quiet")
    logs.get_logger("x").warning("told")
    assert ["told"] == [json.loads(line)["event"] for line in _lines(capsys)]


@pytest.mark.parametrize("style", ["json", "console"])
def test_under_journald_each_line_has_its_priority(style: logs.Format, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", style, to_journald=True)
    for level in ("debug", "info", "warning", "error"):
        getattr(logs.get_logger("x"), level)("a line")
    try:
        int("why")
    except ValueError:
        logs.get_logger("x").exception("it broke")
    lines = _lines(capsys)
    assert ["<7>", "<6>", "<4>", "<3>"] == [line[:3] for line in lines[:4]]
    assert {"<3>"} == {line[:3] for line in lines[4:]}


def test_what_is_said_over_and_over_is_kept_back(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    for number in range(100):
        logs.get_logger("x").error("a sink fails", sink="hook", number=number)
        logging.getLogger("somelib").warning("again %s", number)
    logs.get_logger("x").error("a sink fails", sink="archive")
    told = [json.loads(line) for line in _lines(capsys)]
    assert list(range(10)) == [line["number"] for line in told if line.get("sink") == "hook"]
    assert 10 == sum(line["event"].startswith("again") for line in told)
    assert "archive" == told[-1]["sink"]


def test_debug_keeps_nothing_back(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug")
    for _ in range(50):
        logs.get_logger("x").debug("a frame")
    assert 50 == len(_lines(capsys))


def test_records_in_the_log_are_data_and_none_is_kept_back(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    for _ in range(50):
        logs.get_logger("x", every_line=True).info("helpdesk.ticket_message.created_v1")
    lines = _lines(capsys)
    assert 50 == len(lines)
    assert "_every_line" not in lines[0]


def test_after_a_minute_it_says_how_many_it_kept_back() -> None:
    now = 0.0
    limit = logs.RateLimit(2, 60.0, clock=lambda: now)
    assert [0, 0, None, None] == [limit.take() for _ in range(4)]
    now = 60.0
    assert [2, 0, None] == [limit.take() for _ in range(3)]


def test_logging_does_not_load_rich_but_leaves_it_to_others() -> None:
    script = "import sys, listener.base.logs; print('rich' in sys.modules); import rich; print(rich.__name__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "False\nrich\n" == done.stdout


def test_what_urllib3_warns_of_is_left_to_its_caller(capsys: pytest.CaptureFixture[str]) -> None:
    """It would print a traceback and a peer's bytes for an answer that ends within its headers."""
    logs.configure()
    logging.getLogger("urllib3.connection").warning("Failed to parse headers")
    assert [] == _lines(capsys)
