"""Passes events from the journal to the sinks that want more of them, once what was fetched for each is on disk.

Events pass in their order. Each waits for what is fetched for it, at most `enrich.wait` (images: IMAGE_WAIT); then it
goes without, and says so. Later ones are read and fetched for meanwhile, so nobody waits twice.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from listener.base.errors import JournalError, ListenError
from listener.base.logs import get_logger
from listener.enrich.detail import encoded
from listener.enrich.fetcher import Fetched, Fetcher
from listener.enrich.images import Folder, Image
from listener.enrich.view import View, wants
from listener.event import TICKET_MESSAGE, Received, Unparsable, parse, pictures_of
from listener.feishu.tickets import TicketsApi
from listener.journal import Journal, calls, enrichment
from listener.journal.enrichment import Enriched
from listener.settings.config import Settings
from listener.sinks.base import SinkConfig

AHEAD = 2048  # events that wait together
IDLE, POLL = 0.25, 0.02  # seconds between looks: when nothing waits, and when something does
IMAGE_WAIT = 5.0  # seconds
MAX_IMAGES = 20  # of one message
NAMES_FOR, NAMES_AGAIN = 3600.0, 600.0  # seconds that names of options are believed; to the next try when they failed
FORGET_EVERY = 600.0  # seconds
LATE = "no answer in time"
log = get_logger(__name__)


@dataclass
class _Waiting:
    event: Received
    detail: "Future[Fetched[int]] | None" = None
    images: "list[Future[Fetched[Image]]]" = field(default_factory=list)
    until: float = 0.0

    def is_ready(self, now: float) -> bool:
        wanted: list[Future[Any]] = [*([self.detail] if self.detail else []), *self.images]
        return now >= self.until or all(one.done() for one in wanted)


class Stage:
    """Enriches events from `start` until `stop`, for sinks that got a `view`; does nothing where `[enrich]` is off."""

    def __init__(self, settings: Settings, journal: Journal, api: Callable[[], TicketsApi]) -> None:
        self._settings, self._journal, self._api = settings.enrich, journal, api
        self.is_on = settings.enrich.ticket or settings.enrich.attachments is not None
        self._ready_to = self._read_to = 0
        self._views: list[View] = []
        self._waiting: deque[_Waiting] = deque()
        self._details: dict[int, bytes] = {}  # fetched, and not yet on disk
        self._last_detail = 0
        self._names: dict[str, str] = {}
        self._names_until = 0.0
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="enrich", daemon=True)
        self._stopping, self._came = threading.Event(), threading.Event()
        self._next_forget = 0.0
        self.late = 0  # events that went without something since it did not come in time

    def start(self) -> None:
        """Goes on where the last run ended. Raises JournalError."""
        last = self._journal.last_seq
        ready_to = self._journal.ask(enrichment.enriched_to)
        if not self.is_on:
            self._journal.leave()
            if ready_to is not None:
                self._journal.do(lambda connection: calls.unmark(connection, calls.ENRICHED_TO))
            return
        # What came while it was off goes out as it did then: a sink may have lines of it beyond its cursor.
        self._ready_to = self._read_to = last if ready_to is None else ready_to
        self._last_detail = self._journal.ask(enrichment.last_detail)
        self._journal.leave()
        if ready_to is None:
            self._journal.do(lambda connection: enrichment.store(connection, last, [], {}))
        cache = self._settings.ticket_cache
        self._tickets = Fetcher("ticket", self._ticket, cache=cache, threads=4, done=self._came.set)
        self._images = Fetcher("image", self._image, cache=60.0, threads=4, done=self._came.set)

    def reload(self) -> None:
        """Has the platform asked again at once, however it answered until now."""
        if self.is_on:
            self._names_until = 0.0
            self._tickets.resume()
            self._images.resume()

    def view(self, config: SinkConfig) -> Any:
        """Returns the journal as this sink is to see it."""
        if not self.is_on or not wants(config, self._settings):
            return self._journal
        view = View(self._journal, lambda: self._ready_to)
        self._views.append(view)
        if len(self._views) == 1:  # not before: what nobody wants is not fetched
            self._thread.start()
        return view

    def stop(self, timeout: float = 0.3) -> None:
        """Ends the thread; what waits is fetched for anew after the next start."""
        self._stopping.set()
        self._came.set()
        if self._views:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except JournalError as e:
                log.warning("what was fetched can't be kept; its events wait", because=str(e))
                self._stopping.wait(1.0)
            except Exception:
                if self._stopping.is_set():
                    break  # the journal is closed already
                log.exception("enriching failed in a way that it should not")
                self._stopping.wait(1.0)
        self._journal.leave()

    def _turn(self) -> None:
        self._read()
        now, ready = time.monotonic(), list[_Waiting]()
        for one in self._waiting:
            if not one.is_ready(now):
                break
            ready.append(one)
        if ready or (not self._waiting and self._read_to > self._ready_to):
            self._pass_on(ready)
        elif self._waiting:
            self._came.wait(POLL)
            self._came.clear()
        else:
            self._forget()
            self._journal.wait(self._read_to, IDLE)

    def _read(self) -> None:
        if (room := AHEAD - len(self._waiting)) <= 0:
            return
        last = self._journal.last_seq
        events = self._journal.read(self._read_to, room)
        self._waiting.extend(self._begun(event) for event in events)
        self._read_to = events[-1].seq if events else max(last, self._read_to)

    def _begun(self, event: Received) -> _Waiting:
        """Returns the event with all that it is to go out with asked for."""
        waiting = _Waiting(event)
        try:
            parsed = parse(event.payload)
        except Unparsable:
            return waiting
        now, ticket = time.monotonic(), parsed.ticket_id
        if self._settings.ticket and ticket:
            waiting.detail, waiting.until = self._tickets.get(ticket), now + self._settings.wait
        if self._settings.attachments and ticket and event.event_type == TICKET_MESSAGE:
            inner = parsed.envelope["event"]
            message = str(inner.get("ticket_message_id", ""))
            count = min(pictures_of(inner), MAX_IMAGES)
            waiting.images = [self._images.get(ticket, message, index) for index in range(count)]
            waiting.until = now + max(self._settings.wait, IMAGE_WAIT) if count else waiting.until
        return waiting

    def _pass_on(self, ready: list[_Waiting]) -> None:
        """Keeps in one commit what came for these events; then the sinks may have them."""
        upto = ready[-1].event.seq if ready else self._read_to
        rows = [row for one in ready if (row := self._row(one)).detail is not None or row.more]
        with self._guard:
            details = dict(self._details)
        self._journal.do(lambda connection: enrichment.store(connection, upto, rows, details))
        with self._guard:
            for one in details:
                self._details.pop(one, None)
        for _ in ready:
            self._waiting.popleft()
        self._ready_to = upto
        for view in self._views:
            view.moved()

    def _row(self, one: _Waiting) -> Enriched:
        more: dict[str, Any] = {}
        detail = None
        if one.detail is not None:
            answer = one.detail.result() if one.detail.done() else Fetched(error=LATE)
            detail = answer.value
            if answer.error:
                more["ticket_detail_error"] = answer.error
        if one.images:
            more["attachments"] = [_attachment(index, image) for index, image in enumerate(one.images)]
        self.late += LATE in str(more)
        return Enriched(one.event.seq, detail, msgspec.json.encode(more) if more else b"")

    def _ticket(self, ticket_id: str) -> int:
        """Fetches a ticket and returns the id under which it is kept. It runs in a thread of the fetcher."""
        body = encoded(self._api().ticket(ticket_id), self._option_names())
        with self._guard:
            self._last_detail += 1
            self._details[self._last_detail] = body
            return self._last_detail

    def _option_names(self) -> dict[str, str]:
        """Returns the names of drop-downs' options; where they can't be had, a ticket goes out without them."""
        with self._guard:
            if time.monotonic() < self._names_until:
                return self._names
            self._names_until = time.monotonic() + NAMES_AGAIN
        try:
            self._names = self._api().option_names()
            self._names_until = time.monotonic() + NAMES_FOR
        except ListenError as e:
            log.info("names of drop-downs' options can't be asked: their ids stay", because=str(e), hint=e.hint)
        return self._names

    def _image(self, ticket_id: str, message_id: str, index: int) -> Image:
        """Fetches an image into the folder. It runs in a thread of the fetcher."""
        return self._folder().keep(self._api().image(ticket_id, message_id, index))

    def _folder(self) -> Folder:
        with self._guard:
            if not hasattr(self, "_kept_in"):
                wanted = self._settings
                path = wanted.attachments
                assert path is not None  # noqa: S101 asked for only where it is set
                self._kept_in = Folder(path, wanted.attachment_max_size, wanted.attachments_max_size)
            return self._kept_in

    def _forget(self) -> None:
        if time.monotonic() >= self._next_forget:
            self._next_forget = time.monotonic() + FORGET_EVERY
            self._journal.do(enrichment.forget)


def _attachment(index: int, image: "Future[Fetched[Image]]") -> dict[str, Any]:
    answer = image.result() if image.done() else Fetched(error=LATE)
    if answer.value is None:
        return {"index": index, "error": answer.error}
    return {"index": index, **asdict(answer.value)}
