"""A reload that fails in a way that nobody foresaw is an error in the log, and the next one works."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

from structlog.testing import capture_logs

from listener.app.reload import Reloader
from listener.settings.config import Settings
from tests.unit.test_reload import CONFIG, _settings


def test_an_unknown_failure_is_logged_and_the_next_reload_works(tmp_path: Path) -> None:
    running = _settings(tmp_path, CONFIG)
    failures, applied = [RuntimeError("nobody foresaw this")], list[Settings]()

    async def apply(settings: Settings) -> None:
        if failures:
            raise failures.pop()
        applied.append(settings)

    async def main() -> None:
        reloader = Reloader(running, lambda: running, apply, nullcontext)
        for _ in range(2):
            reloader.ask()
            assert reloader.task is not None
            await reloader.task

    with capture_logs() as lines:
        asyncio.run(main())
    errors = [line for line in lines if line["log_level"] == "error"]
    assert ["reload failed in a way that it should not; the daemon goes on"] == [line["event"] for line in errors]
    assert [running] == applied
