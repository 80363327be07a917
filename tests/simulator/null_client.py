"""A client that decodes and acks and keeps nothing: the ceiling of what the stand-in can be asked for.

    python -m tests.simulator.null_client http://127.0.0.1:8100

Blocking sockets, no library, one read and one write per batch. It ends when the stand-in closes the connection.
"""

import json
import socket
import sys
import urllib.request
from urllib.parse import urlsplit

ACK = b'\x42\x0d{"code": 200}'
BIZ_RT = b"\x2a\x0b\x0a\x06biz_rt\x12\x010"
NO_MASK = b"\x00\x00\x00\x00"  # a mask all the same (RFC 6455, section 5.3), and the cheapest


def main(domain: str) -> int:
    """Returns the number of events acked."""
    acked, rest = 0, b""
    with connect(domain) as sock:
        while data := receive(sock):
            acks, rest = answer(rest + data)
            acked += len(acks)
            sock.sendall(b"".join(acks))
    return acked


def connect(domain: str) -> socket.socket:
    """Endpoint call and handshake; the socket that events come from."""
    body = json.dumps({"AppID": "cli_a5ca1ab1e0ddba11", "AppSecret": "demo-secret"}).encode()
    with urllib.request.urlopen(f"{domain}/callback/ws/endpoint", body, timeout=10) as response:
        url = urlsplit(json.load(response)["data"]["URL"])
    sock = socket.create_connection((url.hostname, url.port), timeout=10)
    fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA=="
    sock.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n{fields}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    sock.settimeout(None)
    return sock


def receive(sock: socket.socket) -> bytes:
    """What came, or nothing once the connection is over."""
    try:
        return sock.recv(256 << 10)
    except ConnectionResetError:
        return b""


def answer(buffer: bytes) -> tuple[list[bytes], bytes]:
    """(an ack for each whole websocket frame, the bytes left over)."""
    acks: list[bytes] = []
    position, end = 0, len(buffer)
    while end - position >= 10:
        start, length = position + 2, buffer[position + 1]
        if length == 126:
            start, length = position + 4, int.from_bytes(buffer[start : start + 2], "big")
        elif length == 127:
            start, length = position + 10, int.from_bytes(buffer[start : start + 8], "big")
        if start + length > end:
            break
        position = start + length
        acks.append(ack(buffer[start:position]))
    return acks, buffer[position:]


def ack(frame: bytes) -> bytes:
    """The frame's own fields up to the headers' end, `biz_rt`, and the code; masked."""
    position = 0
    for _ in range(4):  # SeqID, LogID, service, method
        position += 1
        while frame[position] > 0x7F:
            position += 1
        position += 1
    while frame[position] == 0x2A:  # headers are short: one byte of length
        position += 2 + frame[position + 1]
    body = frame[:position] + BIZ_RT + ACK
    size = len(body)
    head = b"\x82" + (bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big"))
    return head + NO_MASK + body


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1])}\n")
