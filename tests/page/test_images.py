"""Kept images of messages, as the page is given them: those alone, under the rules of the events, for what they are."""

import json
import struct
import zlib
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from listener.enrich.images import opened
from tests.enrich.helping import picture
from tests.page.serving import Served, served

ENRICH = """
[feishu]
helpdesk_id = "6626871355780366331"
helpdesk_token = "ht-demo-token"
[enrich]
attachments = "images"
"""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 120, height: int = 80) -> bytes:
    """A picture that a browser can show: one colour."""
    rows = b"".join(b"\0" + b"\x30\x90\x60" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


@pytest.fixture
def with_images(tmp_path: Path) -> Iterator[Served]:
    """A daemon that keeps images; message 1 has a good one and a script, message 2 one that was deleted."""
    with served(tmp_path, more=ENRICH) as page:
        desk = page.platform.platform.api.desk
        desk.images |= {("7000001", "1001", 0): png(), ("7000001", "1001", 1): b"#!/bin/sh\n"}
        desk.images |= {("7000001", "1002", 0): None}
        for event in (picture(1, images=2), picture(2)):
            page.platform.call(page.platform.platform.push, event)
        archive = tmp_path / "logs" / "tickets.jsonl"
        page.daemon.until(lambda: archive.exists() and archive.read_bytes().count(b"attachments") == 2, "both", 30)
        yield page


def _ask(page: Served, query: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", page.port, timeout=10)
    try:
        connection.request("GET", f"/api/image?{query}", headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_a_kept_image_is_what_it_is_and_can_do_nothing(with_images: Served) -> None:
    status, headers, body = _ask(with_images, "seq=1&index=0")
    assert (200, png(), "image/png", "nosniff") == (
        status,
        body,
        headers["Content-Type"],
        headers["X-Content-Type-Options"],
    )
    assert "default-src 'none'; sandbox" == headers["Content-Security-Policy"]
    assert "same-origin" == headers["Cross-Origin-Resource-Policy"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("seq=1&index=1", 404),
        ("seq=1&index=2", 404),
        ("seq=2&index=0", 404),
        ("seq=999&index=0", 404),
        ("seq=1&index=-1", 404),
        ("seq=1&index=99999999999999999999999", 404),
        ("seq=1&index=../../page_token", 400),
        ("seq=1", 400),
        ("", 400),
    ],
)
def test_nothing_else_is_given(with_images: Served, query: str, status: int) -> None:
    assert status == _ask(with_images, query)[0]


def test_a_page_of_another_origin_is_given_none(with_images: Served) -> None:
    assert 403 == _ask(with_images, "seq=1&index=0", Sec_Fetch_Site="cross-site")[0]
    assert 421 == _ask(with_images, "seq=1&index=0", Host="evil.test")[0]
    assert 401 == _ask(with_images, "seq=1&index=0", X_Forwarded_For="192.0.2.1")[0]


def test_a_file_that_was_exchanged_or_is_a_link_is_not_given(with_images: Served, tmp_path: Path) -> None:
    (kept,) = (tmp_path / "logs" / "images").iterdir()
    kept.write_bytes(b"<script>alert(1)</script>")
    assert 404 == _ask(with_images, "seq=1&index=0")[0]
    kept.unlink()
    kept.symlink_to(tmp_path / "page_token")
    assert 404 == _ask(with_images, "seq=1&index=0")[0]
    assert opened(tmp_path, "../page_token", "image/png") is None


def test_many_who_do_not_read_leave_room_for_the_rest(with_images: Served) -> None:
    slow = [HTTPConnection("127.0.0.1", with_images.port, timeout=10) for _ in range(40)]
    for one in slow:
        one.request("GET", "/api/image?seq=1&index=0")
    assert {200, 503} >= {one.getresponse().status for one in slow}
    for one in slow:
        one.close()
    assert 200 == _ask(with_images, "seq=1&index=0")[0]


@pytest.mark.slow
@pytest.mark.xdist_group("browser")
def test_a_conversation_shows_kept_images_and_a_sign_for_the_others(with_images: Served) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    from tests.page.browser import running, tab_of

    with running() as browser, tab_of(browser) as context:
        tab: Any = context.new_page()
        tab.goto(with_images.conversation("7000001"))
        sync_api.expect(tab.locator(".said .thumbnail")).to_have_count(1)
        assert 120 == tab.locator(".thumbnail").evaluate("e => e.naturalWidth")
        sync_api.expect(tab.locator(".said .picture")).to_have_count(2)
        with_images.platform.platform.api.desk.images["7000001", "1003", 0] = png(30, 30)
        with_images.platform.call(with_images.platform.platform.push, picture(3))
        sync_api.expect(tab.locator(".said .thumbnail")).to_have_count(2)


def test_the_record_of_the_page_needs_no_image(with_images: Served) -> None:
    connection = HTTPConnection("127.0.0.1", with_images.port, timeout=10)
    connection.request("GET", "/api/messages")
    (second, first) = json.loads(connection.getresponse().read())["events"]
    connection.close()
    assert (2, 1) == (len(first["pictures"]), len(second["pictures"]))
