"""What goes out over HTTP, read by the reference libraries."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks.webhooks import Webhook

from listener.journal import redelivery
from listener.journal.reading import reading
from listener.settings.secrets import Secret, SecretKind, SecretSource
from listener.sinks.http import meaning, retry_after
from listener.sinks.results import Delivered, Rejected, TryAgain
from tests.journal.keeping import opened, until
from tests.network.receiving import Post, Receiver
from tests.network.sending import config, drained, fill, sending

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def held(text: str) -> SecretSource:
    return SecretSource(SecretKind.INLINE, "here", Secret(text))


def sent(tmp_path: Path, count: int = 3, **settings: Any) -> list[Post]:
    """The requests that so many events of one ticket make."""
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        fill(journal, count, 1)
        with sending(journal, config(end.url + "?key=hush-hush", **settings)) as worker:
            drained(worker)
    return end.posts


@pytest.mark.parametrize("settings", [{}, {"max_events": 2}, {"max_events": 2, "encoding": "ndjson"}], ids=str)
def test_signatures_verify_with_the_reference_library(tmp_path: Path, settings: dict[str, Any]) -> None:
    for post in sent(tmp_path, secret=held(SECRET), token=held("tok-123456"), **settings):
        headers = {name.lower(): value for name, value in post.headers.items()}
        if "encoding" in settings:  # whose verify() wants one JSON value
            at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
            signature = Webhook(SECRET).sign(headers["webhook-id"], at, post.body.decode())
            assert signature == headers["webhook-signature"]
            assert "application/x-ndjson" == headers["content-type"]
        else:
            Webhook(SECRET).verify(post.body, headers)
        assert "Bearer tok-123456" == headers["authorization"]
        assert "1" == headers["helpdesk-listen-attempt"]


def test_the_id_is_the_events_and_a_batch_keeps_its_own_when_sent_again(tmp_path: Path) -> None:
    assert ["e0", "e1", "e2"] == [post.headers["webhook-id"] for post in sent(tmp_path)]
    with opened(tmp_path / "k.db") as journal, Receiver() as end:
        end.answer = lambda post: 503 if len(end.posts) < 3 else 200
        fill(journal, 4, 1)
        with sending(journal, config(end.url, max_events=10)) as worker:
            drained(worker)
        ids = {post.headers["webhook-id"] for post in end.posts}
        assert 1 == len(ids)
        assert ["1", "2", "3"] == [post.headers["helpdesk-listen-attempt"] for post in end.posts]


def test_cloudevents_are_read_by_their_sdk(tmp_path: Path) -> None:
    for post in sent(tmp_path, format="cloudevents"):
        event = from_http_event(HTTPMessage(headers=post.headers, body=post.body))
        assert event.get_id() == post.headers["webhook-id"]
    (tmp_path / "b").mkdir()
    batch = sent(tmp_path / "b", format="cloudevents", max_events=10)[0]
    assert "application/cloudevents-batch+json" == batch.headers["Content-Type"]
    assert ["e0", "e1", "e2"] == [one["id"] for one in json.loads(batch.body)]


def test_a_replay_is_told_from_a_retry(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        fill(journal, 5, 2)
        with sending(journal, config(end.url)) as worker:
            drained(worker)
            with reading(journal.path) as connection:
                order, count = redelivery.replay(connection, "hook", 0, redelivery.ALWAYS)
            journal.do(redelivery.placing([order]))
            until(lambda: len(end.posts) == 5 + count, "the replay")
        assert [None] * 5 + ["true"] * 5 == [post.headers.get("helpdesk-listen-replayed") for post in end.posts]


def test_a_replay_does_not_wait_for_a_batch_to_fill_up(tmp_path: Path) -> None:
    """All that it hands over now is there; a ticket's messages are often an order each, one after the other."""
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        fill(journal, 20, 20)
        with sending(journal, config(end.url, max_events=20, linger=60.0)) as worker:
            drained(worker)
            order = journal.ask(lambda connection: redelivery.replay_of(connection, "hook", "e7"))[0]
            journal.do(lambda connection: redelivery.place(connection, order))
            until(lambda: len(end.got) == 21, "it comes again")


def test_a_dead_letter_that_is_retried_and_passes_is_none_any_more(tmp_path: Path) -> None:
    ok = False
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        end.answer = lambda post: 200 if ok or post.ids != ["e1"] else 422
        fill(journal, 3, 1)
        with sending(journal, config(end.url)) as worker:
            drained(worker)
            ok = True
            with reading(journal.path) as connection:
                ids = [row[0] for row in connection.execute("SELECT id FROM dead_letters")]
            journal.do(lambda connection: redelivery.place_retry(connection, "hook", ids))
            until(lambda: "e1" in end.got, "it passes")
            count = "SELECT count(*) FROM dead_letters"
            until(lambda: journal.do(lambda c: c.execute(count).fetchone()) == (0,), "it is none any more")


def test_nothing_secret_is_logged_and_an_answers_body_is_cut_and_cleaned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        end.answer = lambda post: (422, {}, "\x1b[31mno\n" + "x" * 5000)
        fill(journal, 1, 1)
        url = end.url.replace("http://", "http://user:pass-word@") + "?key=hush-hush"
        with sending(journal, config(url, secret=held(SECRET))) as worker:
            drained(worker)
    said = "".join(capsys.readouterr())
    assert "HTTP 422:  [31mno" in said.replace("\\u001b", " ") or "[31mno" in said
    assert "\x1b[31mno" not in said
    assert "x" * 201 not in said
    assert [] == [secret for secret in ("hush-hush", "pass-word", SECRET) if secret in said]


def test_what_an_answer_means() -> None:
    assert Delivered() == meaning(204, {}, b"")
    assert all(isinstance(meaning(status, {}, b""), Rejected) for status in (400, 413, 415, 422))
    assert TryAgain("HTTP 503", 7.0, "endpoint") == meaning(503, {"Retry-After": "7"}, b"")
    assert TryAgain("HTTP 500", None, "event") == meaning(500, {}, b"")
    assert 3600.0 == retry_after("999999", 0.0)
    assert 60.0 == retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 0.0)
    assert retry_after("soon", time.time()) is None
