"""Expressions of users, in their own process: what they give, what they can't see, and what they can't harm."""

import json
import os
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.base.errors import ConfigError
from listener.delivery.jq import JqFailure, Program, Result, refuse_broken
from listener.event import FORMATS
from tests.delivery.working import Scripted, config, drained, working
from tests.inprocess import commands
from tests.journal.keeping import keep, opened, payload, until
from tests.samples import encode, example, received

__all__ = ["commands"]
LINE = FORMATS["record"](received(encode(example())))
HOG = '(.event.text | length | . * 100000000) as $n | "x" * $n | length > 0'


def run(*lines: bytes, **expressions: str) -> list[Result]:
    program = Program(expressions, threading.Event())
    try:
        return program.run(lines or [LINE])
    finally:
        program.close()


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program({"filter": '.event.sender_type_name == "bot"'}, threading.Event())
    yield program
    program.close()


def test_a_filter_lets_the_same_bytes_through() -> None:
    assert [LINE] == run(filter='.event.sender_type_name == "bot"')
    assert [None] * 3 == [run(filter=e)[0] for e in ("false", "null", "empty")]
    assert [b'{"a":0}', None] == run(b'{"a":0}', b"[]", filter='type == "object"')


def test_a_transform_gives_the_line() -> None:
    assert ['{"text":"请问vpn怎么下载"}'.encode()] == run(filter="true", transform="{text: .event.text}")
    assert [None] == run(transform="empty")
    assert [rb'"a\u2028b"'] == run(transform=r'"a\u2028b"')
    assert [JqFailure("jq: it has more than one result")] == run(transform="1, 2")


@pytest.mark.parametrize("expression", ["env", "$ENV"])
def test_the_child_sees_no_environment(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEISHU_APP_SECRET", "very secret")
    assert [b"{}"] == run(transform=expression)


def test_there_is_no_library_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".jq").mkdir()
    (tmp_path / ".jq" / "mine.jq").write_text("def x: 1;")
    with pytest.raises(ConfigError, match="module not found"):
        refuse_broken([config(filter='include "mine"; x')])


def test_what_fails_says_why_on_one_clean_line() -> None:
    assert [JqFailure("jq:  [31m bad")] == run(filter=r'error("\u001b[31m\nbad")')


@pytest.mark.parametrize("expression", ["def f: f; f", "[range(100000000)] | length", HOG, "def f: 1 + f; f"])
def test_a_runaway_expression_fails_within_two_seconds_of_processor_time(expression: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = Program({"filter": expression}, threading.Event())
    program.compile()
    (result,) = program.run([LINE, LINE])
    program.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert isinstance(result, JqFailure)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.0


def test_a_child_that_somebody_kills_costs_no_event(program: Program) -> None:
    assert [LINE] == program.run([LINE])
    assert program.pid
    os.kill(program.pid, signal.SIGKILL)
    assert [LINE] == program.run([LINE])


def test_a_large_event_has_time_and_memory() -> None:
    large = FORMATS["record"](received(encode(example(text="字" * 1_000_000))))
    assert [b"1000000"] == run(large, transform=".event.text | length")


def test_a_large_batch_does_not_block_both_pipes(program: Program) -> None:
    assert [LINE] * 2000 == program.run([LINE] * 2000)


def test_errors_of_expressions_are_told_with_a_caret() -> None:
    with pytest.raises(ConfigError) as error:
        refuse_broken([config("a", filter=".a ==", transform="foo(1)"), config("b", filter="true")])
    told = str(error.value)
    assert "sink a: filter: jq: error: syntax error" in told
    assert "sink a: transform: jq: error: foo/1 is not defined" in told
    assert "    foo(1)\n    ^^^" in told


def test_an_expression_that_can_not_be_compiled_within_its_memory_is_told() -> None:
    with pytest.raises(ConfigError, match="filter: the process that compiles it died"):
        refuse_broken([config(filter='"x" * 2000000000 | length > 0')])


def test_what_is_filtered_is_counted_passed_over_and_not_formatted_again(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep(journal, *[payload(f"e{n}", text=str(n)) for n in range(20)])
        sink, wanted = Scripted(), config(filter=".event.text | tonumber % 4 == 0", transform=".event.text")
        with working(journal, sink, wanted) as worker:
            drained(worker)
            assert ["e0", "e4", "e8", "e12", "e16"] == sink.ids
            assert [b'"0"', b'"4"'] == [line.data for line in sink.got[:2]]
            assert (5, 15, 0, 20) == (
                worker.state.delivered,
                worker.state.filtered,
                worker.state.dead_letters,
                worker.cursor.seq,
            )


def test_only_passes_over_what_it_leaves_out(tmp_path: Path) -> None:
    from listener.sinks.base import Only

    with opened(tmp_path / "j.db") as journal:
        keep(journal, *[payload(f"e{n}", sender_type=1 + n % 2) for n in range(6)])
        sink = Scripted()
        with working(journal, sink, config(only=Only(sender=("guest",)))) as worker:
            drained(worker)
            assert (["e1", "e3", "e5"], 3, 6) == (sink.ids, worker.state.filtered, worker.cursor.seq)


def test_an_event_on_which_it_fails_is_a_dead_letter_and_the_sink_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep(journal, *[payload(f"e{n}", text=text) for n, text in enumerate(["1", "x", "loop", "4"])])
        expression = 'def f: f; if .event.text == "loop" then f else (.event.text | tonumber) > 0 end'
        sink = Scripted()
        with working(journal, sink, config(filter=expression)) as worker:
            until(lambda: sink.ids == ["e0", "e3"], "what passes, in order", 5.0)
            drained(worker)
            assert (2, 0) == (worker.state.dead_letters, worker.state.filtered)


def test_a_changed_filter_and_a_replay_bring_what_was_passed_over(tmp_path: Path) -> None:
    from listener.journal import Redelivery, redelivery

    with opened(tmp_path / "j.db") as journal:
        keep(journal, *[payload(f"e{n}") for n in range(3)])
        with working(journal, Scripted(), config(filter="false")) as worker:
            drained(worker)
        sink = Scripted()
        order = Redelivery(0, "archive", "replay", 0, 2**62, 0, 3, started=False)
        journal.do(lambda connection: redelivery.place(connection, order))
        with working(journal, sink, config(filter="true")):
            until(lambda: sink.ids == ["e0", "e1", "e2"], "they are brought")


def test_a_file_sink_finds_its_filtered_lines_after_a_crash(tmp_path: Path) -> None:
    from listener.journal import Cursor
    from listener.sinks.file import FileConfig, FileSink

    wanted = FileConfig(name="archive", path=tmp_path / "out", start="earliest", filter='.event.text != "1"')
    with opened(tmp_path / "j.db") as journal:
        keep(journal, *[payload(f"e{n}", text=str(n)) for n in range(4)])
        with working(journal, FileSink(wanted, threading.Event()), wanted) as worker:
            drained(worker)
        first = (tmp_path / "out").read_bytes()
        known = json.loads(worker.cursor.position) | {"offset": 0, "crc": 0}
        journal.advance("archive", Cursor(0, json.dumps(known)))  # the cursor that a crash leaves
        journal.flush()
        with working(journal, FileSink(wanted, threading.Event()), wanted) as worker:
            drained(worker)
        assert 3 == len(first.splitlines())
        assert first == (tmp_path / "out").read_bytes()
