"""Backfills beside the running daemon: notes since when nobody listened, asks for what was missed, carries out jobs.

All of it runs in a thread of its own. Nothing here is needed to listen: whatever fails is logged and tried again.
"""

import threading
import time
from collections.abc import Callable

from listener.backfill.budget import Keeper
from listener.backfill.jobs import Jobs, Stopped
from listener.base.clock import now_ms, since_boot
from listener.base.errors import JournalError, ListenError
from listener.base.logs import get_logger
from listener.feishu.meter import Meter
from listener.feishu.tickets import TicketsApi
from listener.journal import Journal, backfills, calls
from listener.journal.backfills import Gap
from listener.settings.config import Settings

LOOK = 1.0  # seconds between looks while a job waits for its next call
IDLE, CALM = 20.0, 0.25  # seconds between looks where nothing changes, and where everything does
MARK_EVERY_MS = 300_000  # how exactly the beginning of a gap is known after a crash; each mark is a commit of its own
GAP_MS = 600_000  # a shorter time without a connection is not worth a line: the platform pushes again
OUTAGE_MS = 6 * 3_600_000  # the platform pushes again for about 7 hours
OVERLAP_MS = 600_000
log = get_logger(__name__)


class Backfiller:
    """Backfills from `start` until `stop`. `connected` returns whether a connection is open now."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        meter: Meter,
        api_of: Callable[[str, str], TicketsApi],
        connected: Callable[[], bool],
    ) -> None:
        self._settings, self._journal, self._connected = settings, journal, connected
        self._meter, self._keeper = meter, Keeper(meter, journal)
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._jobs = Jobs(journal, settings.feishu.app_id, api_of, meter, self._pause)
        self._seen_ms: int | None = None  # when a connection was last open
        self._seen_at: float | None = None  # the same by a clock that never jumps; None: in an earlier run
        self._marked_ms = 0
        self._next_job = 0.0
        self._month, self._asks_again = meter.month, True  # what was refused may be granted now
        self._thread = threading.Thread(target=self._run, name="backfill", daemon=True)

    def start(self) -> None:
        """Reads when a connection was last open, and starts the thread. Raises JournalError."""
        seen = self._journal.ask(lambda connection: calls.read(connection, calls.CONNECTED))
        self._journal.leave()
        self._seen_ms = int(seen) if seen is not None else None
        self._journal.on_change(self.wake)
        self._thread.start()

    def wake(self) -> None:
        """Has the thread look now: the connection, or something in the journal, has changed."""
        self._woken.set()

    def reload(self) -> None:
        """Has what the platform refused asked for again: credentials may have changed."""
        self._asks_again = True
        self.wake()

    def stop(self, timeout: float = 0.3) -> None:
        """Ends the thread; what is left is done after the next start."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(timeout)

    def tick(self) -> None:
        """Notes whether the connection is open, and keeps new calls on disk; called every few seconds."""
        self._keeper.keep()
        if not self._connected():
            return
        now, at = now_ms(), since_boot()
        before = self._seen_ms if self._seen_at is None else now - round((at - self._seen_at) * 1000)
        self._seen_ms, self._seen_at = now, at
        if before is None:
            self._first_start(now)
        elif now - before >= GAP_MS:
            self._after_gap(Gap(before, now))
        if now - self._marked_ms >= MARK_EVERY_MS or now < self._marked_ms:
            self._marked_ms = now
            self._journal.writer.submit(lambda connection: calls.mark(connection, calls.CONNECTED, now))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self.tick()
                self._next()
            except Stopped:
                break
            except ListenError as e:
                log.debug("a backfill has ended", because=str(e))  # told, and noted with the job
            except Exception:
                if self._stopping.is_set():
                    break  # the journal is closed already
                log.exception("a backfill failed in a way that it should not")
                self._next_job = time.monotonic() + 60
            if self._woken.wait(IDLE):
                self._stopping.wait(CALM)
        self._last_words()

    def _last_words(self) -> None:
        self._keeper.keep()
        if (seen := self._seen_ms) is not None:
            self._journal.writer.submit(lambda connection: calls.mark(connection, calls.CONNECTED, seen))
        self._journal.leave()

    def _next(self) -> None:
        if time.monotonic() < self._next_job:
            return
        try:
            self._ask_again()
            job = self._journal.ask(backfills.next_job)
        except JournalError:
            self._next_job = time.monotonic() + 60
            raise
        if job is not None:
            self._jobs.run(job)

    def _ask_again(self) -> None:
        """Places the daemon's own jobs again that credentials, or the budget of a month that is over, had ended."""
        if self._asks_again or self._month != self._meter.month:
            self._asks_again, self._month = False, self._meter.month
            self._journal.do(backfills.ask_again)

    def _pause(self, seconds: float) -> None:
        """Waits between two calls: a stop ends the job here, and the connection is noted meanwhile."""
        until = time.monotonic() + seconds
        while True:
            if self._stopping.is_set():
                raise Stopped
            self.tick()
            if (left := until - time.monotonic()) <= 0:
                return
            self._stopping.wait(min(left, LOOK))

    def _first_start(self, now: int) -> None:
        if (since := self._settings.backfill.since) is not None:
            self._ask(now - round(since * 1000), now)

    def _after_gap(self, gap: Gap) -> None:
        self._journal.do(lambda connection: backfills.note_gap(connection, gap))
        is_long = gap.to_ms - gap.from_ms >= OUTAGE_MS
        fetches = is_long and self._settings.backfill.after_outage
        if fetches:
            self._ask(gap.from_ms - OVERLAP_MS, gap.to_ms)
        again = "the platform pushes again for about 7 h"
        hint = "helpdesk-listen backfill fetches what was missed" if is_long else again
        log.warning(
            "nobody listened for a while",
            hours=round((gap.to_ms - gap.from_ms) / 3_600_000, 1),
            hint="what was missed is fetched now" if fetches else hint,
        )

    def _ask(self, since_ms: int, until_ms: int) -> None:
        helpdesk = self._settings.feishu.helpdesk_id or ""
        self._journal.do(lambda connection: backfills.ask_unattended(connection, since_ms, until_ms, helpdesk))
