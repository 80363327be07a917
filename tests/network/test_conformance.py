"""The conformance suite over our own network sinks."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from listener.sinks.conformance import Conformance
from tests.network.receiving import Post, Receiver


class HttpEnd:
    def __init__(self, directory: Path) -> None:
        self.receiver = Receiver(self.answer)
        self.refuses, self.hangs = False, False

    def __enter__(self) -> Self:
        self.receiver.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.receiver.__exit__()

    def settings(self) -> Mapping[str, object]:
        return {"url": self.receiver.url}

    def answer(self, post: Post) -> Any:
        return 503 if self.refuses else 200

    def got(self) -> list[str]:
        return list(self.receiver.got)

    @contextmanager
    def down(self) -> Iterator[None]:
        self.refuses = True
        yield
        self.refuses = False

    @contextmanager
    def hanging(self) -> Iterator[None]:
        self.receiver.delay = 3600.0
        yield


class BatchesEnd(HttpEnd):
    def settings(self) -> Mapping[str, object]:
        return {"url": self.receiver.url, "batch.max_events": 7, "in_flight": 3}


class ChatEnd(HttpEnd):
    """A group's bot of WeCom; each text is an event's id."""

    def settings(self) -> Mapping[str, object]:
        return {"service": "wecom", "url": self.receiver.url, "text": ".event_id", "batch.max_events": 20}

    def answer(self, post: Post) -> Any:
        return (200, {}, json.dumps({"errcode": 0}))

    def got(self) -> list[str]:
        texts = [post.events[0]["text"]["content"] for post in self.receiver.posts]
        return [one for text in texts for one in text.split("\n\n")]

    @contextmanager
    def down(self) -> Iterator[None]:
        """With a status; the code for "too often" asks to wait for a minute."""
        answer, self.receiver.answer = self.receiver.answer, lambda post: 502
        yield
        self.receiver.answer = answer


class ExecEnd:
    """A command that appends ids to a file; it is not there while it is `down`, and sleeps while a file `hangs` is."""

    mode = "batch"

    def __init__(self, directory: Path) -> None:
        self.directory, self.command = directory, directory / "command"

    def __enter__(self) -> Self:
        code = f"""#!{sys.executable}
import json, os, sys, time
while os.path.exists({str(self.directory / "hangs")!r}): time.sleep(60)
with open({str(self.directory / "got")!r}, "a", buffering=1) as got:
    for line in sys.stdin: print(json.loads(line)["event_id"], file=got)
"""
        self.command.write_text(code)
        self.command.chmod(0o700)
        return self

    def __exit__(self, *_: object) -> None:
        """The sink has ended its command."""

    def settings(self) -> Mapping[str, object]:
        return {"command": [str(self.command)], "mode": self.mode, "batch.max_events": 10}

    def got(self) -> list[str]:
        file = self.directory / "got"
        return file.read_text().split() if file.exists() else []

    @contextmanager
    def down(self) -> Iterator[None]:
        self.command.rename(self.directory / "away")
        yield
        (self.directory / "away").rename(self.command)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        (self.directory / "hangs").touch()
        yield


class StayingEnd(ExecEnd):
    mode = "stay"


class TestHttp(Conformance):
    type, other_end = "http", HttpEnd


class TestHttpBatches(Conformance):
    type, other_end = "http", BatchesEnd


class TestChat(Conformance):
    type, other_end = "chat", ChatEnd


class TestExecThatIsRun(Conformance):
    type, other_end = "exec", ExecEnd


class TestExecThatStays(Conformance):
    type, other_end = "exec", StayingEnd
