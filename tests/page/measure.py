"""Figures of the page, printed: `python -m tests.page.measure`.

How long a message takes to be on the page, frame times at 5,000 messages a minute, what 50 open pages cost an ack, and
what 200 cost in memory. Figures of one machine say little to another: they are for comparing before and after.
"""

import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from tests.page.browser import running, tab_of
from tests.page.serving import Served, served

RATE, SECONDS = 5000 / 60, 60
SEEN = """text => new Promise(told => {
    const has = () => document.querySelector("#main").textContent.includes(text);
    if (has()) return told();
    new MutationObserver((_, o) => { if (has()) { o.disconnect(); told(); } }).observe(document.querySelector("#main"), {childList: true, subtree: true, characterData: true});
})"""  # noqa: E501 a browser's own lines
FRAMES = """() => {
    window.frames_ = []; let last = performance.now();
    const next = now => { frames_.push(now - last); last = now; requestAnimationFrame(next); };
    requestAnimationFrame(next);
}"""


def main() -> None:
    """Prints everything, one line each."""
    with tempfile.TemporaryDirectory() as home, served(Path(home)) as page:
        print(f"memory with no page: {_memory(page):.1f} MiB")
        alone = _acks(page)
        with _streams(page, 50):
            among = _acks(page)
        print(
            f"ack, median: {alone * 1000:.2f} ms alone, {among * 1000:.2f} ms with 50 pages: {among / alone:.2f} times"
        )
        with _streams(page, 200):
            _acks(page)
            print(f"memory with 200 pages: {_memory(page):.1f} MiB")
        print(f"memory after them: {_memory(page):.1f} MiB")
        _in_the_browser(page)


def _in_the_browser(page: Served) -> None:
    with running() as browser, tab_of(browser) as context:
        tab = context.new_page()
        tab.goto(f"{page.url}/#/tickets")
        tab.wait_for_selector(".ticket")
        took = []
        for number in range(20):
            begun = time.monotonic()
            page.push(f"seen {number}.", "7000000000000000009")
            tab.evaluate(SEEN, f"seen {number}.")
            took.append(time.monotonic() - begun)
        print(f"a message is on the page after: median {median(took):.3f} s, longest {max(took):.3f} s")
        tab.evaluate(FRAMES)
        _flood(page)
        frames = [float(one) for one in tab.evaluate("window.frames_")]
        p99 = quantiles(frames, n=100)[98]
        print(f"{RATE * 60:.0f} a minute: frames {median(frames):.1f} ms, p99 {p99:.1f}, longest {max(frames):.0f}")


def _flood(page: Served) -> None:
    begun = time.monotonic()
    number = 0
    while (passed := time.monotonic() - begun) < SECONDS:
        if number < passed * RATE:
            page.push(f"message {number} of many", f"70000000000{number % 400:08}", sender=1 + number % 3, wait=False)
            number += 1
        else:
            time.sleep(0.005)
    print(f"pushed {number} messages in {SECONDS} s")


def _acks(page: Served) -> float:
    """The median of 300 acks, from push to ack, 20 ms apart."""
    took = []
    for number in range(300):
        begun = time.monotonic()
        page.push(f"ack {number}")
        took.append(time.monotonic() - begun)
        time.sleep(0.02)
    return median(took)


@contextmanager
def _streams(page: Served, count: int) -> Iterator[None]:
    """Pages that read all that comes."""
    socks = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(count)]
    for sock in socks:
        sock.sendall(b"GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    for sock in socks:
        threading.Thread(target=_drain, args=(sock,), daemon=True).start()
    try:
        yield
    finally:
        for sock in socks:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def _drain(sock: socket.socket) -> None:
    try:
        while sock.recv(65536):
            pass
    except OSError:
        return


def _memory(page: Served) -> float:
    """Resident MiB of the daemon."""
    lines = Path(f"/proc/{page.daemon.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
