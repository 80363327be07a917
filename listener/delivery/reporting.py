"""Tells the operator of a network sink's commits and answers, in its figures and in the log."""

import time
from collections.abc import Sequence

from listener.base.errors import Unavailable
from listener.base.logs import get_logger
from listener.delivery.attempts import Attempts, SinkState, log_dead_letter
from listener.delivery.batching import Item
from listener.delivery.endpoint import Endpoint
from listener.journal import Cursor
from listener.journal.waiting import Changes
from listener.sinks.results import Result, TryAgain

OFFLINE_PATIENCE = 30.0  # seconds that a command waits for an endpoint that is down
log = get_logger(__name__)


def note(state: SinkState, cursor: Cursor, changes: Changes, delivered: Sequence[Item], done: Sequence[Item]) -> None:
    """Counts what a commit kept, and logs its dead letters."""
    state.seq = cursor.seq
    state.delivered += len(delivered)
    state.dead_letters += len(changes.dead)
    if delivered:
        state.last_delivery_at = time.time()
    items = {item.seq: item for item in done}
    for seq, reason, attempts in changes.dead:
        log_dead_letter(state.name, items[seq].line.event, items[seq].key, reason, attempts)


def tell(attempts: Attempts, state: SinkState, results: Sequence[Result], endpoint: Endpoint, *, alone: bool) -> None:
    """Logs what an answer has changed; `alone`: it is about one event of the retry queue, and not about the sink."""
    failure = next((one for one in results if isinstance(one, TryAgain)), None)
    was_paused, state.paused = state.paused, endpoint.paused
    if not failure:
        attempts.succeeded()
    elif alone:
        state.retries += 1
    else:
        attempts.failed(failure.reason)
    if state.paused and not was_paused:
        log.error(
            "a sink is paused: its endpoint refuses us",
            sink=state.name,
            because=state.paused,
            hint="events wait in the journal; correct the sink's settings, then reload",
        )


def be_patient(state: SinkState, down: bool) -> None:
    """Raises Unavailable once the endpoint has been down for too long, which ends a command that delivers by itself."""
    since = state.failing_since
    if down and since and time.time() - since > OFFLINE_PATIENCE:
        raise Unavailable(f"sink {state.name}: {state.last_error}", hint="the daemon does it once it runs")
