"""Figures of the page, printed: `python -m tests.page.measure`.

How long a message takes to be on the page, frame times at 5,000 messages a minute beside those of an empty page (the
machine's own), what 50 open pages cost an ack, what the page costs in memory: none open, one, 200. Figures of one
machine say little to another: they are for comparing before and after.

python -m tests.page.measure                 everything
python -m tests.page.measure memory acks frames
"""

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Page

from tests.page.browser import running, tab_of
from tests.page.serving import Served, served

RATE, SECONDS = 5000 / 60, 60
SEEN = """text => new Promise(told => {
    const has = () => document.querySelector("#main").textContent.includes(text);
    if (has()) return told();
    new MutationObserver((_, o) => { if (has()) { o.disconnect(); told(); } }).observe(document.querySelector("#main"), {childList: true, subtree: true, characterData: true});
})"""  # noqa: E501 a browser's own lines
FRAMES = """() => {
    window.tasks_ = [];
    const long = all => tasks_.push(...all.getEntries().map(one => one.duration));
    new PerformanceObserver(long).observe({type: "longtask"});
    window.frames_ = []; let last = performance.now();
    const next = now => { frames_.push(now - last); last = now; requestAnimationFrame(next); };
    requestAnimationFrame(next);
}"""


def main() -> None:
    """Prints everything, or what was named, one line each."""
    wanted = sys.argv[1:] or ["memory", "acks", "frames"]
    if "memory" in wanted:
        with tempfile.TemporaryDirectory() as home, served(Path(home), http=False) as page:
            _calm(page)
            print(f"memory without http.listen: {_memory(page):.1f} MiB")
    with tempfile.TemporaryDirectory() as home, served(Path(home)) as page:
        if "memory" in wanted:
            _calm(page)
            print(f"memory with no page: {_memory(page):.1f} MiB")
        if "acks" in wanted:
            _ack_costs(page)
        if "memory" in wanted:
            _crowd(page)
        if "frames" in wanted:
            _in_the_browser(page)


def _ack_costs(page: Served) -> None:
    """Alone and among 50 pages, in turns: what else the machine does falls on both."""
    alone, among = [], []
    for _ in range(4):
        alone += _acks(page)
        with _streams(page, 50):
            among += _acks(page)
    one, other = median(alone) * 1000, median(among) * 1000
    print(f"ack, median: {one:.2f} ms alone, {other:.2f} ms with 50 pages: {other - one:+.2f} ms")


def _crowd(page: Served) -> None:
    for count in (1, 200):
        with _streams(page, count):
            _acks(page)
            print(f"memory with {count} pages: {_memory(page):.1f} MiB")
    print(f"memory after them: {_memory(page):.1f} MiB")


def _calm(page: Served) -> None:
    """Some events have passed."""
    _acks(page)


def _in_the_browser(page: Served) -> None:
    with running() as browser, tab_of(browser) as context:
        tab = context.new_page()
        page.push("the first")
        tab.goto(f"{page.url}/#/tickets")
        tab.wait_for_selector(".ticket")
        took = []
        for number in range(20):
            begun = time.monotonic()
            page.push(f"seen {number}.", "7000000000000000009")
            tab.evaluate(SEEN, f"seen {number}.")
            took.append(time.monotonic() - begun)
        print(f"a message is on the page after: median {median(took):.3f} s, longest {max(took):.3f} s")
        _frames(page, tab, "conversations")
        tab.goto(f"{page.url}/icon.svg")
        _frames(page, tab, "an empty page")


def _frames(page: Served, tab: Page, what: str) -> None:
    """Prints frame times, long tasks, and the CPU time of the tab's main thread: that one is the page's own."""
    tab.evaluate(FRAMES)
    before = _cpu(tab)
    _flood(page)
    cpu = (_cpu(tab) - before) / SECONDS
    frames = [float(one) for one in tab.evaluate("window.frames_")]
    tasks = [float(one) for one in tab.evaluate("window.tasks_")]
    p99, over = quantiles(frames, n=100)[98], sum(one > 50 for one in frames) / len(frames)
    print(
        f"{what}, {RATE * 60:.0f} a minute: frames {median(frames):.1f} ms, p99 {p99:.1f}, longest {max(frames):.0f},"
        f" {over:.1%} over 50; tasks over 50 ms: {len(tasks)}, longest {max(tasks, default=0):.0f} ms;"
        f" CPU {cpu * 1000:.0f} ms a second"
    )


def _cpu(tab: Page) -> float:
    """Seconds of CPU time that the tab's main thread has used."""
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable")
    found = {one["name"]: float(one["value"]) for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return found["ThreadTime"]


def _flood(page: Served) -> None:
    begun = time.monotonic()
    number = 0
    while (passed := time.monotonic() - begun) < SECONDS:
        if number < passed * RATE:
            page.push(f"message {number} of many", f"70000000000{number % 400:08}", sender=1 + number % 3, wait=False)
            number += 1
        else:
            time.sleep(0.005)


def _acks(page: Served) -> list[float]:
    """The seconds of 300 acks, from push to ack, 20 ms apart."""
    took = []
    for number in range(300):
        begun = time.monotonic()
        page.push(f"ack {number}")
        took.append(time.monotonic() - begun)
        time.sleep(0.02)
    return took


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
