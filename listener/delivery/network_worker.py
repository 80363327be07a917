"""Runs one network sink in a thread with an event loop of its own, with several requests under way.

A turn reads ahead of the cursor (event_feed.py), sends what may go out (batching.py, endpoint.py), and commits what is
decided (verdicts.py): the cursor, which events beyond it are done, dead letters, and the retry queue. A request counts
as under way until its outcome is on disk, so a crash repeats at most `in_flight` batches.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from listener.base.errors import JournalError
from listener.base.logs import get_logger
from listener.base.threads import DaemonExecutor, give_way
from listener.delivery.attempts import JOURNAL_PAUSE, Attempts, SinkState
from listener.delivery.batching import Batcher, Sending
from listener.delivery.endpoint import Endpoint, jitter
from listener.delivery.event_feed import EventFeed
from listener.delivery.formatting import Formatter
from listener.delivery.preparing import Preparer
from listener.delivery.reporting import be_patient, note, tell
from listener.delivery.requests import attempt, wind_up
from listener.delivery.retry_queue import RetryQueue
from listener.delivery.verdicts import Verdicts
from listener.journal import Cursor, Journal
from listener.journal.waiting import settle
from listener.sinks.base import Line
from listener.sinks.network import Batch, NetworkConfig, NetworkSink, Outgoing, Paced

NICENESS, IDLE = 5, 0.25  # IDLE: seconds between turns when nothing happens
NEVER = float("inf")
LAST_LAUNCH = 2.0  # seconds after a stop: what begins later would be cut off by it
log = get_logger(__name__)


class NetworkWorker:
    """Delivers to one network sink, with the same outer interface as `worker.Worker`."""

    def __init__(
        self,
        config: NetworkConfig,
        sink: NetworkSink,
        journal: Journal,
        cursor: Cursor,
        *,
        formatter: Formatter,
        abandon: threading.Event,
        limit: int | None = None,
        on_end: Callable[["NetworkWorker"], None] = lambda worker: None,
        on_delivered: Callable[[Sequence[Line]], None] | None = None,
    ) -> None:
        self.config, self.sink, self._sink = config, self, sink
        self._pause = sink.pause if isinstance(sink, Paced) else lambda: 0.0
        self.state = SinkState(config.name, seq=cursor.seq)
        self._attempts = Attempts(self.state, config.retry, abandon)
        self.journal, self._cursor, self._abandon = journal, cursor, abandon
        self._limit, self._on_end, self._on_delivered = limit, on_end, on_delivered
        self._batcher = Batcher(config.batch.max_events, config.batch.max_bytes, config.batch.linger)
        self.endpoint = Endpoint(config.retry.max_delay, config.in_flight)
        self._verdicts = Verdicts(config, self._batcher, self.endpoint, RetryQueue())
        self._preparer = Preparer(config, formatter, abandon)
        self.feed = EventFeed(
            config, journal, cursor, preparer=self._preparer, batcher=self._batcher, verdicts=self._verdicts
        )
        self._progress = self.feed.progress
        self.requests: dict[asyncio.Task[None], Sending] = {}
        self._unkept = 0  # batches whose outcome is not on disk yet
        self._keeping: asyncio.Task[None] | None = None
        self._watching: asyncio.Future[bool] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain_to: int | None = None
        self._last_launch, self._fresh_probe, self._only_redeliveries = NEVER, True, False
        self.ended = self.died = False
        self._thread = threading.Thread(target=self._run, name=f"sink-{config.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the worker once everything that is journalled now is delivered, or waits for a retry."""
        self._drain_to, self._last_launch = self.journal.last_seq, time.monotonic() + LAST_LAUNCH
        self._call()

    def abandon(self) -> None:
        """Ends the worker as soon as the requests under way are over; the rest stays in the journal."""
        self._abandon.set()
        self._call()

    def reopen(self) -> None:
        """Has secrets read again, and a paused endpoint probed at once; may be called from another thread."""
        self._sink.reopen()
        self.endpoint.hurry()
        self._call()

    def decide(self, change: Callable[[Verdicts], object]) -> None:
        """Changes the retry queue, such as that it is attempted now; may be called from another thread."""
        if (loop := self._loop) and not loop.is_closed():
            loop.call_soon_threadsafe(change, self._verdicts)
        self._call()

    @property
    def cursor(self) -> Cursor:
        """Returns the sink's cursor, which stays once the worker has ended."""
        return self._cursor

    def join(self, timeout: float) -> bool:
        """Waits up to `timeout` seconds for the worker's end; returns whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def carry_out_redeliveries(self) -> None:
        """Delivers replays and retries alone, in the caller's thread, instead of `start`. Raises ListenError."""
        self._only_redeliveries = True
        asyncio.run(self._main())

    def _call(self) -> None:
        """Has the loop take its next turn now."""
        self.journal.wake()
        if (loop := self._loop) and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake.set)

    def _run(self) -> None:
        give_way(NICENESS)
        try:
            asyncio.run(self._main())
        except BaseException:
            self.died = True
            log.exception("a sink's worker died", sink=self.config.name)
        finally:
            self._loop = None
            self.journal.leave()
            self.ended = True
            self._on_end(self)

    async def _main(self) -> None:
        self._wake, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._loop.set_default_executor(DaemonExecutor())
        try:
            await self._open()
            while not self._finished():
                try:
                    self._turn()
                except JournalError as e:
                    self._attempts.failed(str(e))
                    await asyncio.sleep(JOURNAL_PAUSE)
                await self._rest()
        finally:
            await self._end()

    async def _open(self) -> None:
        """Opens the sink, again and again until it works."""
        tries = 0
        while not self._abandon.is_set():
            try:
                await self._sink.open()
                self._verdicts.retries = RetryQueue(self.journal.waiting(self.config.name))
                self.state.waiting = len(self._verdicts.retries)
                break
            except Exception as e:
                self._attempts.failed(f"{type(e).__name__}: {e}")
                tries += 1
                await asyncio.sleep(min(IDLE, jitter(tries, self.config.retry.max_delay)))

    def _finished(self) -> bool:
        quiet = not self.requests and not self._unkept
        if self._only_redeliveries:
            be_patient(self.state, self.endpoint.down)
            return quiet and self.feed.step is None and self.journal.next_redelivery(self.config.name) is None
        enough = self._limit is not None and self.state.delivered >= self._limit
        enough |= self._drain_to is not None and self._cursor.seq >= self._drain_to
        return self._abandon.is_set() or (enough and quiet)

    def _turn(self) -> None:
        if not self._only_redeliveries:
            self.feed.read_ahead(jammed=not self.requests and not self.endpoint.down)
        self.feed.take_redeliveries()
        self._launch()
        self._keep()

    def _launch(self) -> None:
        now = time.monotonic()
        while not self._abandon.is_set() and now < self._last_launch and (sending := self._next(now)):
            if not self.feed.still_kept(sending):
                continue
            self.requests[task := asyncio.ensure_future(self._send(sending, now))] = sending
            task.add_done_callback(self._over)

    def _next(self, now: float) -> Sending | None:
        """Returns the batch that goes out next, None where none may."""
        free = self.config.in_flight - len(self.requests) - self._unkept
        most = self._budget()
        if min(free, self.endpoint.slots(now, len(self.requests)), most) <= 0 or self._pause() > 0:
            return None
        if not self.endpoint.down:
            hurry = self._drain_to is not None or self.feed.step is not None
            return self._batcher.again(now) or self.feed.next_retry() or self._batcher.take(now, most, hurry=hurry)
        self._fresh_probe = not self._fresh_probe  # what failed before may be at fault itself
        again = None if self._fresh_probe else self._batcher.again(NEVER)
        sending = again or self._batcher.take(now, most, hurry=True) or self._batcher.again(NEVER)
        return sending or self.feed.next_retry()

    def _budget(self) -> int:
        if self._limit is None:
            return self.config.batch.max_events
        taken = self.state.delivered + len(self._verdicts.delivered) + sum(len(s.items) for s in self.requests.values())
        return min(self.config.batch.max_events, self._limit - taken - self._progress.keeping)

    async def _send(self, sending: Sending, began: float) -> None:
        batch = Batch(Outgoing(one.line.event, one.line.data, one.attempts + 1, one.replayed) for one in sending.items)
        results = await attempt(self._sink, batch, self.config.timeout)
        is_retry = sending.items[0].is_retry
        self._verdicts.settle(sending, results, began)
        if not self._verdicts.is_empty:
            self._unkept += 1
        tell(self._attempts, self.state, results, self.endpoint, alone=is_retry and not self.endpoint.down)

    def _over(self, task: asyncio.Task[None]) -> None:
        del self.requests[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("a request ended in a way that it should not", exc_info=error)

    def _keep(self) -> None:
        """Commits what is decided, one commit at a time; what is decided meanwhile shares the next."""
        idle = self._keeping is None or self._keeping.done()
        step_done = self.feed.step is not None and self.feed.step.is_done(self._verdicts.done)
        if idle and (not self._verdicts.is_empty or step_done or self._progress.moved(self._cursor)):
            self._keeping = asyncio.ensure_future(self._commit())
            self._keeping.add_done_callback(lambda _: self._wake.set())

    async def _commit(self) -> None:
        unkept, (changes, done, delivered) = self._unkept, self._verdicts.take()
        self._progress.finish(done)
        self._progress.keeping = len(delivered)
        step = self.feed.step if self.feed.step and self.feed.step.finish(done) else None
        if step:
            changes.redelivery = (step.redelivery, step.upto)
        cursor, name = self._progress.cursor(), self.config.name
        while True:
            try:
                await asyncio.wrap_future(self.journal.writer.submit(lambda c: settle(c, name, cursor, changes)))
                break
            except Exception as e:
                self._attempts.failed(f"journal: {e}")
                await asyncio.sleep(JOURNAL_PAUSE)
        if step:
            self.feed.step, self.feed.next_look = None, 0.0
        self._unkept -= unkept
        self._cursor, self._progress.keeping = cursor, 0
        note(self.state, cursor, changes, delivered, done)
        self.state.waiting, self.state.filtered = len(self._verdicts.retries), self.feed.filtered
        if delivered and self._on_delivered:
            self._on_delivered([item.line for item in delivered])

    async def _rest(self) -> None:
        """Waits until something happens: an answer, a commit, a new event, or a time that was set."""
        if self.feed.preparing:
            self.feed.preparing[0].add_done_callback(lambda _: self._wake.set())
        elif self._only_redeliveries or self._progress.read_to >= self.journal.last_seq:
            self._watch()
        elif not self.feed.is_full:
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._until_due()):
                await self._wake.wait()
        self._wake.clear()

    def _until_due(self) -> float:
        due = self.endpoint.next_probe if self.endpoint.down else self._batcher.next_due()
        retry_ms = self._verdicts.retries.next_ms()
        retry = [] if retry_ms is None else [(retry_ms - self._verdicts.clock.now_ms()) / 1000]
        waits = [IDLE, due - time.monotonic(), *retry]
        return min(IDLE, max(0.001, min(wait for wait in waits if wait > 0 or wait == IDLE)))

    def _watch(self) -> None:
        """Has a thread wait for the next event, since the journal can wake threads only."""
        if self._watching is None or self._watching.done():
            loop = asyncio.get_running_loop()
            self._watching = loop.run_in_executor(None, self.journal.wait, self._progress.read_to, IDLE)
            self._watching.add_done_callback(lambda _: self._wake.set())

    async def _end(self) -> None:
        """Gives requests under way a moment to end, and commits what came of them."""
        if self.feed.preparing:
            await asyncio.wait([self.feed.preparing[0]], timeout=1.0)
        self._preparer.close()
        await wind_up(self.requests, lambda: self._drain_to is not None)
        try:
            async with asyncio.timeout(2.0):
                if self._keeping:
                    await self._keeping
                self._keep()
                if self._keeping:
                    await self._keeping
                await self._sink.close()
        except Exception as e:
            log.warning("a sink failed in passing", sink=self.config.name, because=f"{type(e).__name__}: {e}")
