"""As much of HTTP/1.1 as the stand-in reads and writes."""

import json

import pytest

from listener.simulator.http1 import BadRequest, HttpRequest, RequestReader, response

POST = b"POST /a/b?x=1&y=%2F HTTP/1.1\r\nHost: h:1\r\nContent-Length: 4\r\n\r\nbodyrest"


def test_a_request_comes_out_whole_byte_by_byte() -> None:
    reader = RequestReader()
    found = [request for byte in POST if (request := reader.feed(bytes((byte,))))]
    expected = HttpRequest("POST", "/a/b?x=1&y=%2F", {"host": "h:1", "content-length": "4"}, b"body")
    assert expected == found[0]
    assert (found[0].path, found[0].query) == ("/a/b", {"x": "1", "y": "/"})


def test_what_follows_the_request_stays() -> None:
    reader = RequestReader()
    reader.feed(POST)
    assert reader.rest == b"rest"


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"GET / SPDY/3\r\n\r\n",
        b"x" * 70_000,
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        RequestReader().feed(data)


def test_a_response_is_dated_and_ends_its_connection() -> None:
    head, _, body = response(200, b'{"code":0}', now=0).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 200 OK"
    assert b"Date: Thu, 01 Jan 1970 00:00:00 GMT" in head
    assert b"Connection: close" in head
    assert json.loads(body) == {"code": 0}


def test_the_platforms_own_status_has_a_phrase() -> None:
    assert response(514, now=0).startswith(b"HTTP/1.1 514 Refused\r\n")
