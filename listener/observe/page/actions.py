"""Does what the page's buttons ask for, inside the daemon: dead letters' retry and discard, replay, waiting events."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Annotated, Protocol, runtime_checkable

import msgspec

from listener.base.errors import ListenError
from listener.base.logs import get_logger
from listener.delivery.attempts import SinkState
from listener.delivery.verdicts import Verdicts
from listener.journal import decisions
from listener.observe.facts import Facts

WAIT = 4.0  # seconds for the commit
MOST = 50_000  # letters of one action
Name = Annotated[str, msgspec.Meta(max_length=64)]
Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]  # what SQLite holds: an error in a job costs a commit
log = get_logger(__name__)


class LettersRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A request about a sink's dead letters: those in `ids`, else every one; the sink "-" means unreadable payloads."""

    sink: Name
    ids: Annotated[list[Number], msgspec.Meta(max_length=1000)] | None = None


class ReplayRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A request to deliver one event to a sink once more."""

    sink: Name
    seq: Number


@runtime_checkable
class RetryQueueWorker(Protocol):
    """A sink's worker that keeps a retry queue."""

    state: SinkState

    def decide(self, change: Callable[[Verdicts], object]) -> None: ...


class ActionRefused(ListenError):
    """The action that was asked for can't be done."""


class Actions:
    """Carries out the page's actions: redelivery, and decisions on dead letters. Lives in the loop.

    Each returns how many events it concerns, and raises ActionRefused, JournalError or ValueError.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts, self._journal = facts, facts.journal

    async def retry(self, body: bytes) -> int:
        """Hands dead letters to their sink again; its worker delivers them within 2 s."""
        asked = msgspec.json.decode(body, type=LettersRequest)
        self._check_sink(asked.sink)
        done = await self._in_slices(asked, decisions.retry)
        log.info("dead letters are retried: somebody asked for it on the page", sink=asked.sink, count=done)
        return done

    async def discard(self, body: bytes) -> int:
        """Gives dead letters up for good, except those that are being retried."""
        asked = msgspec.json.decode(body, type=LettersRequest)
        done = await self._in_slices(asked, decisions.discard)
        log.info("dead letters are discarded: somebody asked for it on the page", sink=asked.sink, count=done)
        return done

    async def replay(self, body: bytes) -> int:
        """Hands an event of the journal to a sink again."""
        asked = msgspec.json.decode(body, type=ReplayRequest)
        self._check_sink(asked.sink)
        await self._do(lambda connection: 0)  # the sink's position may wait for a commit to ride with
        if not await self._do(decisions.replay(asked.sink, asked.seq)):
            raise ActionRefused(f"{asked.sink} has yet to get that event, or it is not kept any more")
        log.info("an event is replayed: somebody asked for it on the page", sink=asked.sink, seq=asked.seq)
        return 1

    async def hurry(self, body: bytes) -> int:
        """Has a sink attempt its retry queue now; only sinks behind a network have one."""
        worker = self._worker_with_retry_queue(msgspec.json.decode(body, type=LettersRequest).sink)
        worker.decide(lambda verdicts: verdicts.retries.hurry())
        return worker.state.waiting

    async def discard_waiting(self, body: bytes) -> int:
        """Gives up events of a sink's retry queue for good: those with the seqs in `ids`, or all."""
        asked = msgspec.json.decode(body, type=LettersRequest)
        counted: Future[int] = Future()
        self._worker_with_retry_queue(asked.sink).decide(
            lambda verdicts: counted.set_result(verdicts.discard(asked.ids))
        )
        try:
            done = await asyncio.wait_for(asyncio.wrap_future(counted), WAIT)
        except TimeoutError:
            raise ActionRefused(f"{asked.sink} does not answer now") from None
        if not done:
            raise ActionRefused("it does not wait any more")
        log.info("waiting events are discarded: somebody asked for it on the page", sink=asked.sink, count=done)
        return done

    def _worker_with_retry_queue(self, name: str) -> RetryQueueWorker:
        self._check_sink(name)
        (worker,) = [worker for worker in self._facts.workers if worker.config.name == name]
        if not isinstance(worker, RetryQueueWorker):
            raise ActionRefused(f"nothing waits for {name}")
        return worker

    def _check_sink(self, name: str) -> None:
        if name not in [worker.config.name for worker in self._facts.workers]:
            raise ActionRefused("no sink of that name is in the settings")

    async def _in_slices(
        self, asked: LettersRequest, decide: Callable[[str, Sequence[int] | None], decisions.Job]
    ) -> int:
        if asked.ids is not None:
            slices = [asked.ids[at : at + decisions.SLICE] for at in range(0, len(asked.ids), decisions.SLICE)]
            return sum([await self._do(decide(asked.sink, ids)) for ids in slices])
        done = 0
        while done < MOST and (more := await self._do(decide(asked.sink, None))):
            done += more
        return done

    async def _do(self, job: decisions.Job) -> int:
        return await asyncio.to_thread(self._journal.do, job, WAIT)
