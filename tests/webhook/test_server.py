"""The HTTP server: kept before 200, nothing kept of what is not the platform's, and no peer that holds it up."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from listener.settings.config import SourceSettings
from listener.sources.receiver import DEADLINE, SWEEP
from listener.sources.webhook import CannotListen, Patience, Webhook
from listener.sources.webhook_verifier import Verifier
from tests import samples
from tests.webhook.posts import Post, challenge, encrypted, event, signed
from tests.webhook.server import PATH, Served, serving

SUCCESS = (200, {"msg": "success"})


def plain(body: bytes) -> Post:
    return {"Content-Type": "application/json"}, body


def secure(body: bytes) -> Post:
    return signed(encrypted(body))


def test_the_documents_example_encrypted_and_plain(tmp_path: Path) -> None:
    payload = samples.encode(samples.example())

    async def main() -> None:
        async with serving(tmp_path) as served:
            assert SUCCESS == await served.post(secure(payload))
            assert payload == served.journal.read(0, 1)[0].payload
        (tmp_path / "plain").mkdir()
        async with serving(tmp_path / "plain", key=None) as served:
            assert SUCCESS == await served.post(plain(payload))
            assert payload == served.journal.read(0, 1)[0].payload

    asyncio.run(main())


def test_the_challenge_is_answered_and_nothing_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            async with asyncio.timeout(1):  # the platform waits no longer
                assert (200, {"challenge": "a1"}) == await served.post(plain(challenge("a1")))
                assert (200, {"challenge": '"2'}) == await served.post(plain(encrypted(challenge('"2'))))
            assert [] == served.kept()

    asyncio.run(main())


REJECTED = {
    "not signed": (401, plain(encrypted(event()))),
    "a wrong signature": (401, ({**secure(event())[0], "X-Lark-Signature": "0" * 64}, encrypted(event()))),
    "a stale timestamp": (401, signed(encrypted(event()), age=8 * 86_400)),
    "a wrong token": (403, secure(event(token="wrong"))),
    "a wrong token in the challenge": (403, plain(challenge(token="wrong"))),
    "another key": (401, signed(encrypted(event(), "other"), "other")),
    "nothing": (401, plain(b"")),
    "10 MB": (413, plain(b"x" * 10_000_000)),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_not_the_platforms_is_rejected(tmp_path: Path, name: str) -> None:
    status, post = REJECTED[name]

    async def main() -> None:
        async with serving(tmp_path) as served:
            assert (status, {"msg": "rejected"}) == await served.post(post)
            assert ([], 0, {status: 1}) == (served.kept(), served.aside(), served.webhook.rejected)
            assert SUCCESS == await served.post(secure(event()))

    asyncio.run(main())


def test_a_replayed_body_is_a_duplicate(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            post = secure(event(7))
            for _ in range(3):
                assert SUCCESS == await served.post(post)
            assert ["event-000007"] == served.kept()
            assert 2 == served.receiver.state.duplicates

    asyncio.run(main())


def test_200_parallel_posts(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            answers = await asyncio.gather(*(served.post(secure(event(i))) for i in range(200)))
            assert [SUCCESS] * 200 == answers
            assert [f"event-{i:06}" for i in range(200)] == sorted(served.kept())

    asyncio.run(main())


def test_events_nobody_asked_for_are_acked_and_counted(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            for envelope in samples.siblings().values():
                assert SUCCESS == await served.post(secure(samples.encode(envelope)))
            assert [] == served.kept()
            assert dict.fromkeys(samples.siblings(), 1) == served.receiver.state.other_types

    asyncio.run(main())


def test_what_is_signed_and_unreadable_is_kept_aside(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            assert SUCCESS == await served.post(secure(b"{ no JSON"))
            assert ([], 1) == (served.kept(), served.aside())

    asyncio.run(main())


def test_200_only_after_the_commit(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            hold, held = threading.Event(), threading.Event()

            def job(_connection: object) -> None:
                held.set()
                hold.wait(5)

            served.journal.writer.submit(job)
            await asyncio.to_thread(held.wait, 5)
            posting = asyncio.ensure_future(served.post(secure(event())))
            done, _ = await asyncio.wait({posting}, timeout=0.3)
            assert set() == done
            hold.set()
            assert SUCCESS == await posting

    asyncio.run(main())


def test_what_does_not_reach_the_disk_in_time_gets_500(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            hold = threading.Event()
            served.journal.writer.submit(lambda _connection: hold.wait(10))
            began = time.monotonic()
            assert 500 == (await served.post(secure(event())))[0]
            assert time.monotonic() - began >= DEADLINE
            assert DEADLINE + SWEEP < 3, "the platform waits no longer"
            hold.set()
            assert SUCCESS == await served.post(secure(event()))
            assert ["event-000000"] == served.kept()

    asyncio.run(main())


POST = b"POST /webhook/event HTTP/1.1\r\nHost: a\r\n"


async def trickle(served: Served, *parts: bytes, every: float) -> bytes:
    """Sends the parts so many seconds apart; what comes back until the server closes."""
    reader, writer = await asyncio.open_connection(*served.address)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(every)
        return await asyncio.wait_for(reader.read(), 30)
    except ConnectionError:
        return b""
    finally:
        writer.close()


SLOW = {b"": b"", POST: b"x: 1\r\n", POST + b"Content-Length: 99999\r\n\r\n": b"x"}


def test_a_slow_loris_is_cut_off_and_holds_up_nobody(tmp_path: Path) -> None:
    """Each says nothing, or a head or a body that never ends."""
    patience = Patience(head=0.4, body=0.4, linger=0.1)

    async def main() -> None:
        async with serving(tmp_path, patience=patience) as served:
            slow = [
                asyncio.ensure_future(trickle(served, head, *[drip] * 6, every=0.1))
                for head, drip in SLOW.items()
                for _ in range(100)
            ]
            await asyncio.sleep(0.2)
            assert SUCCESS == await served.post(secure(event()))
            answers = set(await asyncio.gather(*slow))
            assert all(not answer or answer.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400")) for answer in answers)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", PATH, 405), ("PUT", PATH, 405), ("POST", "/other", 404), ("GET", "/", 404)]
)
def test_other_paths_and_methods(tmp_path: Path, method: str, path: str, status: int) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            request = f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            answer = await trickle(served, request.encode(), every=0)
            assert answer.startswith(b"HTTP/1.1 %d" % status)

    asyncio.run(main())


NONSENSE = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00 TLS to a plain port\r\n\r\n",
    "an endless head": b"POST / HTTP/1.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a broken chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a bomb": POST + b"Content-Encoding: gzip\r\nConnection: close\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_without_a_stack_trace(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            answer = await trickle(served, NONSENSE[name], b"", every=0.05)
            assert answer.startswith((b"HTTP/1.1 40", b"HTTP/1.0 40"))
            assert SUCCESS == await served.post(secure(event()))

    asyncio.run(main())
    assert [] == [record.getMessage() for record in caplog.records if record.levelno > 20]


def test_a_stop_lets_requests_under_way_finish(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            hold = threading.Event()
            served.journal.writer.submit(lambda _connection: hold.wait(5))
            posting = asyncio.ensure_future(served.post(secure(event())))
            await asyncio.sleep(0.1)
            served.running.cancel()
            await asyncio.sleep(0.1)
            hold.set()
            assert SUCCESS == await posting

    asyncio.run(main())


def test_an_address_that_is_not_ours() -> None:
    async def main() -> None:
        unused: Any = None
        with pytest.raises(CannotListen, match="can't listen on 192"):
            await Webhook(SourceSettings(listen="192.0.2.1:8080"), Verifier("t", None, window=1), unused).run()

    asyncio.run(main())


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            taken = SourceSettings(listen=f"127.0.0.1:{served.address[1]}")
            with pytest.raises(CannotListen, match="in use"):
                await Webhook(taken, Verifier("t", None, window=1), served.receiver).run()

    asyncio.run(main())


def test_a_header_that_is_no_text_is_401_and_not_an_error(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            for name in (b"X-Lark-Request-Nonce", b"X-Lark-Request-Timestamp"):
                reader, writer = await asyncio.open_connection(*served.address)
                head = b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Lark-Signature: 0\r\n" % PATH.encode()
                writer.write(head + name + b": \xff\xfe\r\nContent-Length: 2\r\n\r\n{}")
                assert b"401" in (await reader.readline())
                writer.close()

    asyncio.run(main())
