"""Defines what is true of the daemon as one document, and judges what is wrong with it. Pure: no I/O, no clock.

`helpdesk-listen status`, /readyz, /metrics and systemd's STATUS line all say what this document says.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

HELD_WAL = 60.0  # seconds
WARN_FULL = 0.8  # of max_size
LITTLE_DISK, NO_DISK = 16 * 2**20, 2**16  # bytes free: too few for a day, too few for an event
STUCK_AFTER = 30.0  # seconds of failing, or of an event that waits while nothing is delivered
LATE = 60.0  # seconds that an event may wait in the journal without anybody being told
HELD_BACK = 1.0  # seconds that an event waits where sinks keep up


class ConnectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The connection. `losses` counts by cause; `fresh`: a frame came by the time when the ping's answer was due."""

    phase: str
    since: datetime
    fresh: bool = False
    round_trip_seconds: float | None = None
    connected_since: datetime | None = None
    lost_at: datetime | None = None
    lost_because: str | None = None
    next_attempt_at: datetime | None = None
    attempts: int = 0
    connections: int = 0
    renewals: int = 0
    losses: dict[str, int] = {}


class EventsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The events since the start: `acks` by code, `per_second` over a minute, the percentile over the newest acks."""

    per_second: float = 0.0
    ack_p99_seconds: float | None = None
    acks: dict[int, int] = {}
    kept: int = 0
    duplicates: int = 0
    unreadable: int = 0
    late: int = 0
    not_forwarded: int = 0


class JournalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The journal. `answers`: its writer and its disk do; `failing`: why the last commit failed."""

    path: str
    answers: bool = True
    failing: str | None = None
    full: bool = False
    used_bytes: int = 0
    max_bytes: int = 0
    file_bytes: int = 0
    disk_free_bytes: int | None = None
    last_seq: int = 0
    last_event_at: datetime | None = None
    unreadable: int = 0
    unreadable_left: int = 0  # quarantined payloads that had to leave since their share was full
    wal_held_seconds: float = 0.0  # for how long somebody's read transaction has kept the WAL from being reused
    waiting: int = 0


class SinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A sink. `lag` is in events; `dead_letters` counts all in the journal, the other counts are of this run."""

    name: str
    type: str = ""
    state: Literal["running", "closed", "died", "unknown"] = "unknown"
    lag: int = 0
    oldest_undelivered_seconds: float | None = None
    dead_letters: int = 0
    delivered: int = 0
    retries: int = 0
    rejected: int = 0
    waiting: int = 0  # events in the retry queue: one that alone fails, and those of its ticket behind it
    paused: str | None = None  # why, where somebody must change a setting
    filtered: int = 0
    failing_seconds: float | None = None
    idle_seconds: float | None = None  # since the last delivery of this run, or its start
    last_error: str | None = None
    last_delivery_at: datetime | None = None


class ClientsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The app's clients that the platform counts as online; another one takes its share of the events."""

    online: int
    expected: int = 1
    asked_at: datetime | None = None


class CallsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The API calls of this month (UTC) by API; `halted` says why there are no more until the next month."""

    by_api: dict[str, int] = {}
    total: int = 0
    limit: int | None = None
    halted: str = ""


class GapStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A time without a connection; `recovered` counts its messages that were fetched, None where none was asked for."""

    since: datetime
    until: datetime
    recovered: int | None = None


class BackfillStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A backfill job; `new` of its messages were not in the journal."""

    since: datetime
    until: datetime
    state: str
    tickets: int = 0
    tickets_done: int = 0
    messages: int = 0
    new: int = 0
    calls: int = 0
    note: str = ""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `state` says whether the daemon runs and answers, runs and is silent, or does not run."""

    state: Literal["running", "silent", "stopped"]
    taken_at: datetime
    ready: bool = False
    problems: tuple[str, ...] = ()
    version: str = ""
    pid: int | None = None
    started_at: datetime | None = None
    config: str = ""
    app_id: str = ""
    domain: str = ""
    connection: ConnectionStatus | None = None
    events: EventsStatus | None = None
    journal: JournalStatus | None = None
    sinks: tuple[SinkStatus, ...] = ()
    clients: ClientsStatus | None = None
    calls: CallsStatus | None = None
    gaps: tuple[GapStatus, ...] = ()
    backfills: tuple[BackfillStatus, ...] = ()


def judged(snapshot: Snapshot) -> Snapshot:
    """Returns the snapshot with `ready` and `problems` filled in from its other fields."""
    unready = not_ready(snapshot)
    return msgspec.structs.replace(snapshot, ready=not unready, problems=(*unready, *_degraded(snapshot)))


def not_ready(snapshot: Snapshot) -> tuple[str, ...]:
    """Returns why events are not received, kept and handed on at this moment; () where they are."""
    connection = [_connection_problem(snapshot.connection)] if snapshot.connection else ["the daemon does not answer"]
    journal = [_journal_problem(snapshot.journal)] if snapshot.journal else []
    stuck = [f"sink {sink.name}: {_why_stuck(sink)}" for sink in snapshot.sinks if is_stuck(sink)]
    return tuple(filter(None, [*connection, *journal, *stuck]))


def is_stuck(sink: SinkStatus) -> bool:
    """Returns whether a sink has events waiting and gets nowhere, or can't deliver any more."""
    if sink.state == "closed":
        return False
    waiting = min(sink.oldest_undelivered_seconds or 0.0, sink.idle_seconds or 0.0)
    hopeless = sink.state == "died" or bool(sink.paused and sink.lag)
    return hopeless or max(sink.failing_seconds or 0.0, waiting) > STUCK_AFTER


def fills_up(journal: JournalStatus, sinks: Sequence[SinkStatus], share: float) -> bool:
    """Returns whether that share of the journal is used and can't be freed, since sinks have not got what it holds."""
    held_back = any(sink.lag and (sink.oldest_undelivered_seconds or 0.0) > HELD_BACK for sink in sinks)
    return held_back and journal.used_bytes >= share * journal.max_bytes > 0


def _degraded(snapshot: Snapshot) -> list[str]:
    problems = _little_room(snapshot.journal, snapshot.sinks) if snapshot.journal else []
    for sink in snapshot.sinks:
        problems += _sink_problems(sink)
    clients = snapshot.clients
    if clients and clients.online > clients.expected:
        problems.append(
            f"{clients.online} clients of the app are online, {clients.expected} expected: others take events"
        )
    return problems


def _connection_problem(connection: ConnectionStatus) -> str:
    if connection.phase != "connected":
        because = f": {connection.lost_because}" if connection.lost_because else ""
        since = f" since {clock(connection.lost_at)}" if connection.lost_at else ""
        return f"not connected{since}{because}"
    return "" if connection.fresh else "connected, but the platform is silent"


def _journal_problem(journal: JournalStatus) -> str:
    if journal.failing:
        return f"the journal can't be written: {journal.failing}"
    if journal.full:
        return "the journal is full: new events are refused"
    if journal.disk_free_bytes is not None and journal.disk_free_bytes < NO_DISK:
        return "the journal's disk is full"
    return "" if journal.answers else "the journal's disk does not answer"


def _little_room(journal: JournalStatus, sinks: Sequence[SinkStatus]) -> list[str]:
    problems = []
    if not journal.full and fills_up(journal, sinks, WARN_FULL):
        problems.append(f"the journal is {journal.used_bytes / journal.max_bytes:.0%} full")
    if journal.wal_held_seconds > HELD_WAL:
        problems.append(
            f"somebody has been reading the journal in one transaction for {journal.wal_held_seconds:.0f} s:"
            f" its files grow meanwhile ({journal.file_bytes / 2**20:.1f} MiB)"
        )
    if journal.unreadable_left:
        problems.append(f"{journal.unreadable_left} payloads that can't be read had to leave quarantine for newer ones")
    if journal.disk_free_bytes is not None and NO_DISK <= journal.disk_free_bytes < LITTLE_DISK:
        problems.append(f"the journal's disk has {journal.disk_free_bytes / 2**20:.1f} MiB left")
    return problems


def _sink_problems(sink: SinkStatus) -> list[str]:
    problems = [f"sink {sink.name}: its other end was closed"] if sink.state == "closed" else []
    if sink.failing_seconds is not None and not is_stuck(sink):
        problems.append(f"sink {sink.name} fails: {sink.last_error}")
    elif (sink.oldest_undelivered_seconds or 0.0) > LATE and not is_stuck(sink):
        problems.append(f"sink {sink.name} is {sink.oldest_undelivered_seconds:.0f} s behind")
    if sink.waiting:
        problems.append(f"sink {sink.name}: {sink.waiting} events wait for another attempt while the others go on")
    if sink.dead_letters:
        problems.append(f"sink {sink.name} has {sink.dead_letters} dead letters: helpdesk-listen dead-letters list")
    return problems


def _why_stuck(sink: SinkStatus) -> str:
    if sink.state == "died":
        return "its worker died"
    if sink.paused:
        return f"paused: {sink.paused}"
    return sink.last_error or f"{sink.lag} events wait, and nothing is delivered"


def one_line(snapshot: Snapshot) -> str:
    """Returns the line for `systemctl status`: connection, last event, lag."""
    connection, journal = snapshot.connection, snapshot.journal
    parts = [connection_line(connection)] if connection else []
    if journal and journal.last_event_at:
        parts.append(f"last event {clock(journal.last_event_at)}")
    parts += [f"{sink.name} {sink.lag} behind" for sink in snapshot.sinks if sink.lag]
    said = {_connection_problem(connection)} if connection else set()
    return "; ".join([*parts, *(p for p in snapshot.problems if p not in said)])


def connection_line(connection: ConnectionStatus) -> str:
    if connection.phase == "connected":
        return f"connected since {clock(connection.connected_since)}"
    again = f"; next attempt {clock(connection.next_attempt_at)}" if connection.next_attempt_at else ""
    return (_connection_problem(connection) if connection.lost_because else connection.phase) + again


def clock(at: datetime | None) -> str:
    """Returns the time in UTC to the second, as in the log."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else "never"


def moment(seconds: float) -> datetime:
    """Returns Unix seconds as a time, to the millisecond."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def encode(snapshot: Snapshot) -> bytes:
    """Returns the snapshot as JSON; what is no UTF-8 in a path is `?` there."""
    try:
        return msgspec.json.encode(snapshot)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(snapshot), ensure_ascii=False).encode("utf-8", "replace")


def decode(data: bytes) -> Snapshot:
    """Reads what `encode` wrote; fields of a newer version are passed over. Raises ValueError for anything else."""
    return msgspec.json.decode(data, type=Snapshot)
