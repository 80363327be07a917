"""`doctor --wait`: a real event arrives, with a service that runs and without one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from listener.simulator import PlatformThread
from tests import samples
from tests.daemon import Daemon
from tests.doctor.examined import examine
from tests.inprocess import Commands


@contextmanager
def messages(stand_in: PlatformThread) -> Iterator[list[str]]:
    """Somebody writes a message every 0.2 s; their ids."""
    stop, sent = threading.Event(), list[str]()

    def write() -> None:
        for number in count():
            event_id = f"live-{number}"
            stand_in.call(stand_in.platform.push, samples.example(event_id=event_id))
            sent.append(event_id)
            if stop.wait(0.2):
                return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()


def test_with_a_service_its_journal_is_watched(commands: Commands, stand_in: PlatformThread) -> None:
    with Daemon(commands.home, domain=stand_in.url) as daemon:
        daemon.ready()
        with messages(stand_in):
            found = examine(commands, stand_in.url, "--wait", "--for", "20s")
    assert (0, "ok") == (found.rc, found.steps["event"]["state"])
    assert "the service has it" in found.said("event")


@pytest.mark.slow
def test_without_a_service_one_listens_and_the_next_start_forwards(commands: Commands) -> None:
    with PlatformThread(scale=0.01) as stand_in:
        with messages(stand_in) as sent:
            found = examine(commands, stand_in.url, "--wait", "--for", "20s")
            assert (0, "ok") == (found.rc, found.steps["event"]["state"])
            assert "the next `start` hands it to the sinks" in found.said("event")
        with Daemon(commands.home, domain=stand_in.url) as daemon:
            daemon.until(lambda: len(daemon.stdout) >= len(sent), "all that was sent")
            assert sorted(sent) == sorted(record["event_id"] for record in daemon.records)


def test_nothing_comes(commands: Commands, stand_in: PlatformThread) -> None:
    found = examine(commands, stand_in.url, "--wait", "--for", "1500ms")
    assert (1, ["event"]) == (found.rc, found.named("failed"))
    assert "helpdesk-listen subscribe" in found.said("event")


def test_it_asks_for_a_message_on_stderr(commands: Commands, stand_in: PlatformThread) -> None:
    result = commands.run("doctor", "--wait", "--for", "50ms", domain=stand_in.url)
    assert "send a message in the helpdesk now" in result.err
