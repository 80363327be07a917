"""Sends one batch to a network sink, bounded in time, and ends the requests that are under way."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from listener.sinks.network import Batch, NetworkSink
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

GRACE, GRACE_AT_A_STOP = 5.0, 0.1  # seconds for requests under way to end, once nothing new may begin


async def attempt(sink: NetworkSink, batch: Batch, seconds: float) -> Sequence[Result]:
    """Hands over a batch; returns a result for each event, TryAgain where the sink raises, hangs or errs."""
    try:
        async with asyncio.timeout(seconds):
            results = await sink.deliver(batch)
    except TimeoutError:
        return [TryAgain(f"no answer within {seconds:g} s")] * len(batch)
    except Exception as e:
        return [TryAgain(f"{type(e).__name__}: {e}")] * len(batch)
    sound = len(results) == len(batch) and all(isinstance(one, Delivered | TryAgain | Rejected) for one in results)
    return results if sound else [TryAgain("the sink returned nonsense")] * len(batch)


async def wind_up(tasks: Mapping["asyncio.Task[None]", object], is_stopping: Callable[[], bool]) -> None:
    """Waits for requests under way, since one that is cut off is sent again; at the process's stop it waits less."""
    until = time.monotonic() + GRACE
    while tasks and time.monotonic() < until:
        if is_stopping():
            until = min(until, time.monotonic() + GRACE_AT_A_STOP)
        await asyncio.wait(tasks, timeout=0.05)
    for task in list(tasks):
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=0.5)
