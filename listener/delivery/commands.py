"""Does what commands ask of the journal and the sinks: replay, retry, discard, erase.

Where the daemon runs, a command writes its wish into the journal and the daemon carries it out; where none runs, this
process does the work itself.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import Any

from listener.base.errors import ConfigError, SinkFailed
from listener.base.logs import configure
from listener.delivery.attempts import SinkState
from listener.delivery.formatting import Formatter
from listener.delivery.jq import refuse_broken
from listener.delivery.workers import new_worker
from listener.enrich.view import View, wants
from listener.event import Unparsable, identify
from listener.journal import Journal, Pending, erasure, redelivery
from listener.journal.erasure import Found
from listener.journal.lock import InUse
from listener.journal.model import DeadLetter
from listener.journal.reading import quarantined, reading
from listener.journal.redelivery import Change
from listener.settings.config import Settings
from listener.sinks.base import SinkConfig

PATIENCE = 10.0  # seconds that a command waits for a sink that fails
HANGS = 30.0  # seconds for one that says nothing at all
LOOK = 0.1  # seconds
SLICE = 500  # rows that a command removes in one transaction: the daemon waits for it


def redeliver(settings: Settings, place: Change, sinks: Collection[str]) -> bool:
    """Places replays or retries for these sinks. Raises ListenError.

    Returns True once they are delivered, False where a daemon runs, which delivers them.
    """
    for sink in sinks:
        sink_config(settings, sink)
    with without_daemon(settings) as journal:
        if journal is None:
            redelivery.beside_daemon(settings.journal.path, place)
            return False
        journal.do(place)
        for sink in sinks:
            _carry_out(settings, journal, sink)
    return True


def discard(settings: Settings, letters: Sequence[DeadLetter]) -> None:
    """Removes these dead letters, except those that are being retried. Raises ListenError."""
    with without_daemon(settings) as journal:
        for start in range(0, len(letters), SLICE):
            change = redelivery.discarding(letters[start : start + SLICE])
            if journal is None:
                redelivery.beside_daemon(settings.journal.path, change)
            else:
                journal.do(change)


def erase(settings: Settings, found: Found) -> bool:
    """Erases events. Returns whether the journal's files hold nothing of them; else the daemon cleans its log soon."""
    with without_daemon(settings) as journal:
        if journal is None:
            redelivery.beside_daemon(settings.journal.path, lambda connection: erasure.erase(connection, found))
            return False
        journal.do(lambda connection: erasure.erase(connection, found))
    return True


def read_again(settings: Settings, ids: Sequence[int]) -> dict[int, str]:
    """Reads the quarantined payloads of these ids again, and keeps as events those that this version understands.

    Returns for each id "" where it is an event now, else why it is not. Raises ListenError.
    """
    with reading(settings.journal.path) as connection:
        kept = {one: quarantined(connection, one) for one in ids}
    problems = {one: _why_unreadable(payload) for one, (_, payload) in kept.items()}
    if all(problems.values()):
        return problems
    with without_daemon(settings) as journal:
        if journal is None:  # what runs could not read them: only another version can, which means a restart
            return {one: problem or "stop the daemon first, then retry" for one, problem in problems.items()}
        for one in (one for one, problem in problems.items() if not problem):
            _keep(journal, one, *kept[one])
    return problems


@contextmanager
def without_daemon(settings: Settings) -> Iterator[Journal | None]:
    """Opens the journal for this process; yields None while a daemon has it. Raises JournalError."""
    wanted = settings.journal
    configure(settings.log.level, settings.log.format)  # stdout is data here too
    try:
        journal = Journal(wanted.path, keep_s=wanted.keep, max_size=wanted.max_size)
    except InUse:
        yield None
        return
    journal.start()
    try:
        journal.attach((sink.name, sink.start == "earliest") for sink in settings.sinks)
        yield journal
    finally:
        journal.close()


def _carry_out(settings: Settings, journal: Journal, sink: str) -> None:
    config, abandon = sink_config(settings, sink), threading.Event()
    refuse_broken([config])
    cursor = journal.attach((s.name, s.start == "earliest") for s in settings.sinks)[sink]
    seen: Any = View(journal, lambda: journal.last_seq) if wants(config, settings.enrich) else journal
    formatter = Formatter(share=False)
    worker = new_worker(config, seen, cursor, formatter=formatter, abandon=abandon, feishu=lambda: settings.feishu)
    work: Future[None] = Future()
    threading.Thread(target=_run, args=(worker.carry_out_redeliveries, work), name="replay", daemon=True).start()
    if problem := _wait(work, worker.state):
        abandon.set()
        with suppress(TimeoutError):  # it ends by itself, or the end of the process ends it
            work.result(PATIENCE / 10)
        hint = "see to it, then start the daemon: it carries out what is left"
        raise SinkFailed(f"the sink {sink} {problem}", hint=hint)
    work.result()


def _run(work: Callable[[], None], future: "Future[None]") -> None:
    try:
        work()
        future.set_result(None)
    except BaseException as e:
        future.set_exception(e)


def _wait(work: "Future[None]", state: SinkState) -> str:
    """Returns what is wrong with a sink that has failed, or got nothing further, for too long; "" once all is done."""
    moved, seen = time.monotonic(), (0, 0, 0)
    while not wait([work], LOOK).done:
        now = (state.seq, state.delivered, state.retries)
        moved, seen = (moved, seen) if now == seen else (time.monotonic(), now)
        if state.failing_since is not None and time.time() - state.failing_since > PATIENCE:
            return f"has failed for {PATIENCE:g} s: {state.last_error}"
        if time.monotonic() - moved > HANGS:
            return f"has not come back for {HANGS:g} s"
    return ""


def sink_config(settings: Settings, sink: str) -> SinkConfig:
    """Returns the settings of the sink of this name. Raises ConfigError where there is none."""
    for config in settings.sinks:
        if config.name == sink:
            return config
    names = ", ".join(config.name for config in settings.sinks)
    raise ConfigError(f"no sink is named {sink} in {settings.origin}", hint=f"there are: {names}")


def _why_unreadable(payload: bytes) -> str:
    try:
        identify(payload)
    except Unparsable as e:
        return f"still can't be read: {e.reason}"
    return ""


def _keep(journal: Journal, one: int, received_ms: int, payload: bytes) -> None:
    """Keeps the payload as an event like any other; it leaves quarantine once that event is in the journal."""
    pending = Pending(payload, *identify(payload))
    pending.received_ms = received_ms
    journal.append(pending)
    journal.do(redelivery.reread(one, pending.event_id))
