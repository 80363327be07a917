"""Asks the daemon that uses a journal for its status; where it is silent or does not run, the journal is read."""

import os
import time
from pathlib import Path
from typing import Any

from listener.base.errors import JournalError, ListenError
from listener.journal.inspect import JournalState, holder, read_state
from listener.observe import health, missed
from listener.observe.control import ask
from listener.settings.config import Settings

ANSWER = 0.6  # seconds for the daemon to answer


def query_status(settings: Settings) -> health.Snapshot:
    """Returns a snapshot, within ANSWER seconds. Raises ListenError where this user may not know."""
    pid, answer = ask(settings.journal.path, ANSWER) or (holder(settings.journal.path), b"")
    if not answer:
        return _without_daemon(settings, pid)
    try:
        return health.decode(answer)
    except ValueError as e:
        hint = "restart the daemon, so that both are of one version"
        raise ListenError(f"the daemon's answer makes no sense: {e}", hint=hint) from e


def _without_daemon(settings: Settings, pid: int | None) -> health.Snapshot:
    now = time.time()
    problems = ["not running" if pid is None else "the daemon runs, but does not answer"]
    told: dict[str, Any] = {}
    journal, sinks = None, {sink.name: health.SinkStatus(name=sink.name, type=sink.type) for sink in settings.sinks}
    try:
        seen = read_state(settings.journal.path)
    except JournalError as e:
        is_there = os.path.exists(settings.journal.path)
        problems.append(str(e) if is_there else "there is no journal yet: it never ran")
    else:
        journal = _journal(settings.journal.path, settings.journal.max_size, seen)
        limit = settings.feishu.max_calls_per_month
        told = {"calls": missed.calls(seen, limit), "gaps": missed.gaps(seen), "backfills": missed.backfills(seen)}
        sinks = {name: _sink(sink, seen, now) for name, sink in sinks.items()}
    return health.Snapshot(
        state="stopped" if pid is None else "silent",
        taken_at=health.moment(now),
        pid=pid or None,
        problems=tuple(problems),
        config=settings.origin,
        app_id=settings.feishu.app_id,
        domain=settings.feishu.domain,
        journal=journal,
        sinks=tuple(sinks.values()),
        **told,
    )


def _journal(path: Path, max_size: int, seen: JournalState) -> health.JournalStatus:
    return health.JournalStatus(
        path=str(path),
        used_bytes=seen.used_bytes,
        max_bytes=max_size,
        file_bytes=seen.file_bytes,
        disk_free_bytes=seen.disk_free_bytes,
        last_seq=seen.last_seq,
        last_event_at=None if seen.last_event_ms is None else health.moment(seen.last_event_ms / 1000),
        unreadable=seen.unreadable,
        unreadable_left=seen.unreadable_left,
    )


def _sink(sink: health.SinkStatus, seen: JournalState, now: float) -> health.SinkStatus:
    """Returns a sink's status; a sink that the journal does not know yet begins with the next event."""
    oldest = seen.oldest_ms.get(sink.name)
    return health.SinkStatus(
        name=sink.name,
        type=sink.type,
        lag=max(0, seen.last_seq - seen.seqs.get(sink.name, seen.last_seq)),
        oldest_undelivered_seconds=None if oldest is None else max(0.0, now - oldest / 1000),
        dead_letters=seen.dead_letters.get(sink.name, 0),
    )
