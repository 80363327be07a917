"""Gathers what is true of the running parts into one snapshot. Lives in the loop; looks at the disk in a thread."""

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from msgspec.structs import replace

from listener import __version__
from listener.base.errors import JournalError
from listener.delivery.worker import Worker
from listener.delivery.workers import Workers
from listener.journal import Journal
from listener.journal.inspect import JournalState, read_state, touch
from listener.observe import health, missed
from listener.observe.clients import ClientsState
from listener.observe.health import moment
from listener.observe.measure import Latencies, Rate
from listener.settings.config import Settings
from listener.sources.long_connection import ConnectionState
from listener.sources.receiver import Receiver

LOOK = 0.3  # seconds for the disk to answer
WRITER_QUIET, WRITER_LATE, WRITER_STALLED = 3.0, 10.0, 30.0  # seconds; idle, it shows itself every second
SUPERVISOR_STALLED = 60.0  # seconds beyond what a phase may take
ROOM = 2**20  # bytes that make another attempt to write worth while


class Live(Protocol):
    """An open connection; `fresh` says that the peer has answered when it should have."""

    @property
    def fresh(self) -> bool: ...
    @property
    def round_trip(self) -> float | None: ...


class ObservedSource(Protocol):
    """What is observed of a source of events: the long connection's supervisor, or the webhook."""

    @property
    def state(self) -> ConnectionState: ...
    @property
    def session(self) -> Live | None: ...


@dataclass
class Facts:
    """Gathers what the daemon's parts know into snapshots, with the figures that only time can tell.

    `settings` changes with a reload.
    """

    settings: Settings
    journal: Journal
    receiver: Receiver
    source: ObservedSource
    workers: Workers
    timings: Latencies
    clients: ClientsState = field(default_factory=ClientsState)
    rate: Rate = field(default_factory=Rate)
    started_at: float = field(default_factory=time.time)
    _looking: "asyncio.Future[JournalState] | None" = None
    seen: JournalState | None = None
    _looked_at = 0.0  # time.monotonic()
    _unreadable: str | None = None  # why the journal could not be looked at
    _question: "Future[None] | None" = None  # to the journal's writer

    def tick(self) -> None:
        """Notes the rate, and asks a quiet writer for a sign of life; called every few seconds."""
        now, writer = time.monotonic(), self.journal.writer
        self.rate.note(now, sum(self.receiver.state.acks.values()))
        if self._question is not None and not self._question.done():
            return
        if writer.failing and self.seen and self.seen.disk_free_bytes >= ROOM:
            self._question = writer.submit(touch)  # is it still so? The next event may be hours away
        elif now - writer.answered > WRITER_QUIET:
            self._question = writer.submit(lambda connection: None)  # calls it away from long housekeeping

    def stalled(self) -> str:
        """Returns the part that makes no progress although it should, so that only a restart can help; "" for none."""
        now, state, session = time.monotonic(), self.source.state, self.source.session
        if now - self.journal.writer.answered > WRITER_STALLED:
            return "the journal's writer"
        if state.phase == "connected":
            return "" if session is None or session.fresh else "the connection's heartbeat"
        planned = (state.next_attempt_at or state.since) - state.since if state.phase == "waiting" else 0.0
        return "the supervisor" if now - state.progress > planned + SUPERVISOR_STALLED else ""

    async def snapshot(self, disk_of: float = 0.0) -> health.Snapshot:
        """Returns a snapshot within LOOK seconds, whatever the disk does, whose state may be `disk_of` seconds old."""
        disk_answers = await self.disk_answers(disk_of)
        hanging = (self._hanging(worker, since) for worker, since in self.workers.overdue())
        sinks = (*(self._sink(worker) for worker in self.workers), *hanging)
        return health.judged(
            health.Snapshot(
                state="running",
                taken_at=moment(time.time()),
                version=__version__,
                pid=os.getpid(),
                started_at=moment(self.started_at),
                config=self.settings.origin,
                app_id=self.settings.feishu.app_id,
                domain=self.settings.feishu.domain,
                connection=self.connection(),
                events=self._events(),
                journal=self._journal(disk_answers, sinks),
                sinks=sinks,
                clients=self._clients(),
                **self._missed(),
            )
        )

    def connection(self) -> health.ConnectionStatus:
        state, session = self.source.state, self.source.session
        return health.ConnectionStatus(
            phase=state.phase,
            since=moment(state.since),
            fresh=session is not None and session.fresh,
            round_trip_seconds=session.round_trip if session else None,
            connected_since=_at(state.connected_since) if state.phase == "connected" else None,
            lost_at=_at(state.lost_at),
            lost_because=state.lost_because,
            next_attempt_at=_at(state.next_attempt_at) if state.phase == "waiting" else None,
            attempts=state.attempts,
            connections=state.connections,
            renewals=state.renewals,
            losses=dict(state.losses),
        )

    def _events(self) -> health.EventsStatus:
        state = self.receiver.state
        return health.EventsStatus(
            per_second=self.rate.per_second(),
            ack_p99_seconds=self.timings.recent_acks.percentile(99),
            acks=dict(state.acks),
            kept=state.kept,
            duplicates=state.duplicates,
            unreadable=state.unreadable,
            late=state.late,
            not_forwarded=sum(state.other_types.values()),
        )

    def _journal(self, disk_answers: bool, sinks: Sequence[health.SinkStatus]) -> health.JournalStatus:
        writer, retention, seen = self.journal.writer, self.journal.retention, self.seen
        last_event = self.receiver.state.last_event_at or (seen and seen.last_event_ms and seen.last_event_ms / 1000)
        journal = health.JournalStatus(
            path=str(self.journal.path),
            answers=disk_answers and time.monotonic() - writer.answered < WRITER_LATE,
            failing=writer.failing or self._unreadable,
            used_bytes=seen.used_bytes if seen else 0,
            max_bytes=retention.max_size,
            file_bytes=seen.file_bytes if seen else 0,
            disk_free_bytes=seen.disk_free_bytes if seen else None,
            last_seq=self.journal.last_seq,
            last_event_at=_at(last_event or None),
            unreadable=seen.unreadable if seen else 0,
            unreadable_left=seen.unreadable_left if seen else 0,
            wal_held_seconds=round(writer.progress.held_seconds(), 1),
            waiting=writer.backlog(),
        )
        full = retention.is_full or health.fills_up(journal, sinks, 1.0)  # the writer finds out at the next event
        return replace(journal, full=full)

    def _sink(self, worker: Worker) -> health.SinkStatus:
        state, name, seen, now = worker.state, worker.config.name, self.seen, time.time()
        lag = max(0, self.journal.last_seq - state.seq)
        oldest = seen.oldest_ms.get(name) if seen and lag else None
        return health.SinkStatus(
            name=name,
            type=worker.config.type,
            state="died" if worker.died else "closed" if state.closed else "running",
            lag=lag,
            oldest_undelivered_seconds=None if oldest is None else max(0.0, now - oldest / 1000),
            dead_letters=seen.dead_letters.get(name, 0) if seen else 0,
            delivered=state.delivered,
            retries=state.retries,
            rejected=state.dead_letters,
            waiting=state.waiting,
            paused=state.paused,
            filtered=state.filtered,
            failing_seconds=now - state.failing_since if state.failing_since else None,
            idle_seconds=now - (state.last_delivery_at or self.started_at),
            last_error=state.last_error,
            last_delivery_at=_at(state.last_delivery_at),
        )

    def _hanging(self, worker: Worker, since: float) -> health.SinkStatus:
        """Returns the status of a sink that hangs after its settings changed: its successor may not write beside it."""
        error = "its settings have changed, and it has not come back yet from a delivery with the old ones"
        return replace(self._sink(worker), failing_seconds=max(0.0, time.time() - since), last_error=error)

    def _clients(self) -> health.ClientsStatus | None:
        asked = self.clients
        if asked.online is None:
            return None
        return health.ClientsStatus(online=asked.online, expected=asked.expected, asked_at=_at(asked.checked_at))

    def _missed(self) -> dict[str, Any]:
        """Returns what the journal tells of gaps, backfills and calls."""
        if (seen := self.seen) is None:
            return {}
        limit = self.settings.feishu.max_calls_per_month
        return {"calls": missed.calls(seen, limit), "gaps": missed.gaps(seen), "backfills": missed.backfills(seen)}

    async def disk_answers(self, seconds: float) -> bool:
        """Looks at the disk, unless all was well within the last `seconds`; returns whether it answers."""
        recent = time.monotonic() - self._looked_at < seconds
        well = recent and not self._unreadable and not self.journal.writer.failing
        return well or await self._look()

    async def _look(self) -> bool:
        """Returns whether the disk answered in time; one thread at most looks, however many ask."""
        if self._looking is None or self._looking.done():
            seqs = {worker.config.name: worker.state.seq for worker in self.workers}
            self._looking = asyncio.ensure_future(asyncio.to_thread(read_state, self.journal.path, seqs))
            self._looking.add_done_callback(_forget)
        try:
            self.seen = await asyncio.wait_for(asyncio.shield(self._looking), LOOK)
            self._unreadable, self._looked_at = None, time.monotonic()
        except TimeoutError:
            return False
        except JournalError as e:
            self._unreadable = str(e)
        return True


def _forget(done: "asyncio.Future[JournalState]") -> None:
    """Retrieves an error that came too late, which asyncio would report otherwise."""
    if not done.cancelled():
        done.exception()


def _at(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
