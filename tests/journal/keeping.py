"""A journal in a test: events put in, and read back."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from listener.base.errors import JournalError
from listener.event import Received, Unparsable, identify
from listener.journal import Cursor, Journal, Pending, erasure, redelivery
from listener.journal.identity import fingerprint
from tests.samples import encode, example

NEVER_INSPECT = 3600.0


@contextmanager
def opened(path: Path, **settings: Any) -> Iterator[Journal]:
    """A journal that writes, without the background check unless asked for."""
    journal = Journal(path, **({"inspect_after": NEVER_INSPECT} | settings))
    journal.start()
    try:
        yield journal
    finally:
        assert journal.close(10.0)


def payload(event_id: str, **changes: object) -> bytes:
    return encode(example(event_id, **changes))


def unformattable(event_id: str) -> Pending:
    """An event that is journalled, as an earlier version would, and has no form that a sink could get."""
    return Pending(b"hello", event_id, "helpdesk.ticket_message.created_v1")


def pending(content: bytes | Pending) -> Pending:
    """As the receiver makes it."""
    if isinstance(content, Pending):
        return content
    try:
        return Pending(content, *identify(content))
    except Unparsable as e:
        return Pending(content, "", "", unreadable=e.reason)


def keep(journal: Journal, *payloads: bytes | Pending) -> list[int]:
    """The ack code of each, once they are settled."""
    batch = [pending(one) for one in payloads]
    for one in batch:
        journal.append(one)
    settle(journal)
    return [one.code for one in batch]


def keep_ids(journal: Journal, *event_ids: str) -> list[int]:
    return keep(journal, *map(payload, event_ids))


def settle(journal: Journal) -> None:
    """Returns when everything that was put in has got its code."""
    try:
        journal.flush()
        while journal.writer.backlog():  # events that wait for room
            journal.flush()
    except JournalError:
        return  # the commit failed, which the codes say


def ids(events: list[Received]) -> list[str]:
    return [event.event_id for event in events]


def deliver_all(journal: Journal, sink: str = "archive") -> None:
    """The sink has everything that is journalled by now."""
    journal.advance(sink, Cursor(journal.last_seq))
    journal.flush()


def rows(path: Path, query: str, *values: object) -> list[Any]:
    """Straight from the file, beside the journal."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def until(holds: Callable[[], object], what: str, within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"after {within:g} s still not: {what}"
        time.sleep(0.005)


@contextmanager
def archiving(path: Path, *sinks: str, **settings: object) -> Iterator[Journal]:
    with opened(path, **settings) as journal:
        journal.attach((sink, True) for sink in (sinks or ("archive",)))
        yield journal


def bodies(journal: Journal) -> list[str]:
    return [one for (one,) in rows(journal.path, "SELECT event_id FROM kept ORDER BY seq")]


def known(journal: Journal, *event_ids: str) -> list[str]:
    """Those of these ids that the journal knows, whether their events are still there or not."""
    known = {one for (one,) in rows(journal.path, "SELECT fingerprint FROM ids")}
    return [event_id for event_id in event_ids if fingerprint(event_id) in known]


def forgotten(journal: Journal, *seqs: int) -> None:
    """These events are erased as `forget` does it beside a daemon, and the daemon has noticed."""
    before = journal.erasures
    redelivery.beside_daemon(journal.path, lambda connection: erasure.erase(connection, erasure.Found(seqs, [])))
    until(lambda: journal.erasures > before, "it is noticed")
