"""The chat and exec sinks under the worker of all network sinks: gathering, halving, order, stops."""

import itertools
import sys
import time
from pathlib import Path
from typing import Any

from listener.settings.secrets import Secret, SecretKind, SecretSource
from listener.sinks.chat import ChatConfig
from listener.sinks.exec import ExecConfig
from listener.sinks.network import BatchLimits
from tests.journal.keeping import opened, rows, until
from tests.network.receiving import Post, Receiver
from tests.network.sending import QUICK, drained, fill, in_order, sending, worker_of

OK: Any = (200, {}, '{"errcode":0,"errmsg":"ok"}')


def chat(url: str, **settings: Any) -> ChatConfig:
    where = SecretSource(SecretKind.INLINE, "here", Secret(url))
    given: dict[str, Any] = {"name": "team", "service": "wecom", "url": where, "language": "en", "retry": QUICK}
    return ChatConfig(**(given | settings))


def command(code: str, **settings: Any) -> ExecConfig:
    given: dict[str, Any] = {"name": "command", "command": (sys.executable, "-c", code), "retry": QUICK} | settings
    return ExecConfig(**given)


def text(post: Post) -> str:
    return str(post.events[0]["text"]["content"])


def counted(message: str) -> int:
    """How many events a message tells of."""
    last = message.rpartition("\n\n")[2]
    return message.count("· ticket ") + (int(last.split(" more in ")[0]) if " more in " in last else 0)


def test_a_burst_of_a_thousand_makes_few_messages_that_count_all(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver(lambda post: OK) as end:
        fill(journal, 1000, 7)
        with sending(journal, chat(end.url)) as worker:
            drained(worker, 30)
        assert 1000 == sum(counted(text(post)) for post in end.posts)
        assert len(end.posts) <= 4
        assert 1 == end.most_at_once


def test_the_event_that_a_chat_refuses_is_found(tmp_path: Path) -> None:
    """WeCom's 40058 in a 200 refuses the message for what it says."""

    def answer(post: Post) -> Any:
        refused = "e3" in text(post)
        return (200, {}, '{"errcode":40058,"errmsg":"invalid"}') if refused else OK

    with opened(tmp_path / "j.db") as journal, Receiver(answer) as end:
        fill(journal, 5, 5)
        with sending(journal, chat(end.url, text=".event_id")) as worker:
            drained(worker, 30)
        assert [4] == [seq for (seq,) in rows(journal.path, "SELECT seq FROM dead_letters")]


def test_a_chat_that_throttles_holds_the_sink_and_loses_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        end.answer = lambda post: (429, {"Retry-After": "2"}, "") if len(end.posts) == 1 else (200, {}, "ok")
        fill(journal, 10, 5)
        with sending(journal, chat(end.url, service="slack")) as worker:
            drained(worker, 30)
        throttled, after = end.posts
        assert after.at - throttled.at >= 2.0
        assert 10 == after.events[0]["text"].count("· ticket ")


def test_a_stop_does_not_wait_for_a_batch_to_fill_up(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver(lambda post: OK) as end:
        fill(journal, 3, 3)
        with sending(journal, chat(end.url, batch=BatchLimits(max_events=100, linger=60.0))) as worker:
            worker.stop()
            assert worker.join(5.0)
        assert 1 == len(end.posts)


def test_a_command_that_stays_gets_each_event_once_and_each_ticket_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = "import json, sys\nout = open(%r, 'a')\nfor line in sys.stdin: print(json.loads(line)['event_id'], file=out)"
    with opened(tmp_path / "j.db") as journal:
        ids = fill(journal, 1000, 20)
        with sending(journal, command(code % str(out))) as worker:
            drained(worker)
        got = out.read_text().split()
        assert sorted(ids) == sorted(got)
        assert in_order(got, 20)


def test_a_command_that_fails_on_one_event_holds_up_its_ticket_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"""
import json, sys
ids = [json.loads(line)["event_id"] for line in sys.stdin]
if "e7" in ids: sys.exit(1)
if "e8" in ids: sys.exit(65)
open({str(out)!r}, "a").write("".join(one + " " for one in ids))
"""
    with opened(tmp_path / "j.db") as journal:
        fill(journal, 30, 10)
        batch = BatchLimits(max_events=5, linger=0.0)
        more = itertools.count(30, 10)

        def waits_for_retry() -> bool:
            fill(journal, 1, 10, first=next(more))  # what passes meanwhile tells that the command is not at fault
            return worker.state.waiting == 3

        with sending(journal, command(code, mode="batch", batch=batch, in_flight=2)) as worker:
            until(waits_for_retry, "e7 and what follows of its ticket wait for a retry", 60)
            until(lambda: worker.state.seq == journal.last_seq, "the others have passed", 60)
        ours = {f"e{n}" for n in range(30)}
        assert ours - {"e7", "e8", "e17", "e27"} == ours & set(out.read_text().split())
        assert [9] == [seq for (seq,) in rows(journal.path, "SELECT seq FROM dead_letters")]


def test_a_command_that_hangs_stops_in_time(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        fill(journal, 5, 5)
        worker = worker_of(journal, command("import time; time.sleep(600)", mode="batch"))
        worker.start()
        until(lambda: worker.requests, "it runs")
        began = time.monotonic()
        worker.stop()
        assert not worker.join(3.0)
        worker.abandon()
        assert worker.join(2.0)
        assert time.monotonic() - began < 5.0
        assert [(0,)] == rows(journal.path, "SELECT seq FROM cursors")
