"""The rhythm that those share who look at something again and again."""

import pytest

from listener.base.clock import next_beat


@pytest.mark.parametrize(("now", "pause"), [(10.0, 2.5), (11.0, 1.5), (12.25, 0.25)])
def test_who_looks_at_one_rate_looks_at_one_time(now: float, pause: float, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    class Loop:
        def time(self) -> float:
            return now

    monkeypatch.setattr("asyncio.sleep", sleep)
    monkeypatch.setattr("asyncio.get_running_loop", Loop)
    with pytest.raises(StopIteration):
        next_beat(2.5).send(None)
    assert [pause] == slept
