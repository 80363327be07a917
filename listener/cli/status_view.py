"""Shows the snapshot to people: times as the reader's clock has them, and how long ago. Pure."""

from collections.abc import Iterator
from datetime import datetime

from listener.observe.health import ClientsStatus, ConnectionStatus, EventsStatus, JournalStatus, SinkStatus, Snapshot
from listener.observe.missed import report
from listener.settings.values import format_duration, format_size


def as_text(snapshot: Snapshot) -> str:
    """Returns several lines for people, what is wrong last."""
    lines = [_headline(snapshot), f"  app         {snapshot.app_id} at {snapshot.domain}"]
    now = snapshot.taken_at
    if snapshot.connection:
        lines += _connection(snapshot.connection, now)
    if snapshot.events:
        lines.append(f"  acks        {_acks(snapshot.events)}")
    if snapshot.journal:
        lines += _journal(snapshot.journal, snapshot.events, now)
    lines += [f"  sink        {sink.name}: {_sink(sink)}" for sink in snapshot.sinks]
    if snapshot.clients:
        lines.append(f"  clients     {_clients(snapshot.clients)}")
    lines += _missed(snapshot)
    said = 0 if snapshot.state == "running" else 1
    return "\n".join([*lines, *(f"  ! {problem}" for problem in snapshot.problems[said:])])


def _headline(snapshot: Snapshot) -> str:
    if snapshot.state != "running":
        pid = f" (pid {snapshot.pid})" if snapshot.pid else ""
        return f"{snapshot.problems[0]}{pid}"
    up = _ago(snapshot.started_at, snapshot.taken_at)
    verdict = "ready" if snapshot.ready and not snapshot.problems else "degraded" if snapshot.ready else "NOT ready"
    return f"{verdict}: helpdesk-listen {snapshot.version}, pid {snapshot.pid}, up {up}, {snapshot.config}"


def _connection(connection: ConnectionStatus, now: datetime) -> Iterator[str]:
    if connection.phase == "connected":
        pong = "" if connection.round_trip_seconds is None else f", ping {connection.round_trip_seconds * 1000:.0f} ms"
        renewed = f", renewed {connection.renewals} times" if connection.renewals else ""
        yield f"  connection  connected since {_when(connection.connected_since, now)}{pong}{renewed}"
    else:
        since = f", not connected since {_when(connection.lost_at, now)}" if connection.lost_at else ""
        again = f", next attempt {_local(connection.next_attempt_at)}" if connection.next_attempt_at else ""
        yield f"  connection  {connection.phase}{since}{again}"
    if connection.lost_at:
        causes = ", ".join(f"{cause} {count}" for cause, count in sorted(connection.losses.items()))
        yield f"  lost        last {_when(connection.lost_at, now)}: {connection.lost_because} (so far: {causes})"


def _acks(events: EventsStatus) -> str:
    codes = ", ".join(f"{count} with {code}" for code, count in sorted(events.acks.items()))
    p99 = "" if events.ack_p99_seconds is None else f", p99 {events.ack_p99_seconds * 1000:.1f} ms"
    extra = {"duplicates": events.duplicates, "unreadable": events.unreadable, "not asked for": events.not_forwarded}
    more = "".join(f", {count} {what}" for what, count in extra.items() if count)
    return f"{codes}{p99}{more}"


def _journal(journal: JournalStatus, events: EventsStatus | None, now: datetime) -> Iterator[str]:
    rate = f"; {events.per_second:g}/s over the last minute" if events else ""
    yield f"  last event  {_when(journal.last_event_at, now)}{rate}"
    free = "" if journal.disk_free_bytes is None else f", {format_size(journal.disk_free_bytes)} free on its disk"
    used = f"{format_size(journal.used_bytes)} of {format_size(journal.max_bytes)}"
    yield f"  journal     {journal.path}: {used}{free}"


def _sink(sink: SinkStatus) -> str:
    oldest = "" if sink.oldest_undelivered_seconds is None else f", oldest {_duration(sink.oldest_undelivered_seconds)}"
    parts = ["up to date" if not sink.lag else f"{sink.lag} behind{oldest}"]
    counts = {"delivered": sink.delivered, "filtered": sink.filtered, "waiting for a retry": sink.waiting}
    counts["retries"] = sink.retries
    counts["dead letters"] = sink.dead_letters
    parts += [f"{count} {what}" for what, count in counts.items() if count]
    if sink.paused:
        parts.append(f"PAUSED: {sink.paused}")
    elif sink.failing_seconds is not None:
        parts.append(f"failing for {_duration(sink.failing_seconds)}: {sink.last_error}")
    return ", ".join(parts)


def _missed(snapshot: Snapshot) -> Iterator[str]:
    if (calls := snapshot.calls) and (calls.total or calls.limit):
        by_api = ", ".join(f"{api} {count}" for api, count in sorted(calls.by_api.items()))
        limit = f" of at most {calls.limit}" if calls.limit else ""
        halted = f"; HALTED until next month: {calls.halted}" if calls.halted else ""
        yield f"  API calls   {calls.total}{limit} this month" + (f" ({by_api})" if by_api else "") + halted
    for job in snapshot.backfills[:1]:
        counts = f"{job.tickets_done} of {job.tickets} tickets, {job.new} new messages of {job.messages}"
        note = f": {job.note}" if job.note else ""
        yield f"  backfill    {job.state}, since {_local(job.since)}: {counts}, {job.calls} calls{note}"
    yield from (f"  gap         {report(gap)}" for gap in snapshot.gaps)


def _clients(clients: ClientsStatus) -> str:
    return f"{clients.online} of the app online, {clients.expected} expected"


def _when(at: datetime | None, now: datetime) -> str:
    return f"{_local(at)} ({_ago(at, now)} ago)" if at else "never"


def _local(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else "never"


def _ago(at: datetime | None, now: datetime) -> str:
    return _duration((now - at).total_seconds()) if at else "?"


def _duration(seconds: float) -> str:
    """Returns a duration in two units at most: 1d2h, 3m5s."""
    whole = int(max(0.0, seconds))
    coarse = 3600 if whole >= 86_400 else 60 if whole >= 3600 else 1
    return format_duration(whole - whole % coarse)
