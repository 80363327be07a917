"""Backfills beside a running daemon: a day was missed, late pushes come meanwhile, the daemon is killed."""

import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from listener.feishu.http_api import TICKETS_PATH
from listener.simulator import PlatformThread
from tests.backfill.missed import CONFIG, HELPDESK, in_order, message_ids, pushed, records, talk
from tests.daemon import Daemon

OUTAGE = "[backfill]\nafter_outage = true\n"


def connected_before(home: Path, hours: float) -> None:
    """Makes the journal believe that a connection was last open so long ago."""
    with closing(sqlite3.connect(home / "state" / "helpdesk.db")) as connection, connection:
        at = int((time.time() - hours * 3600) * 1000)
        connection.execute("UPDATE marks SET value=? WHERE name='connected_ms'", (at,))


def has_run(home: Path, stand_in: PlatformThread, config: str = CONFIG) -> None:
    """A first life of the daemon, long ago."""
    with Daemon(home, domain=stand_in.url, config=config) as daemon:
        daemon.ready()
        daemon.until(lambda: "connected_ms" in marks(home), "the connection is noted")
        assert 0 == daemon.stop()


def marks(home: Path) -> dict[str, object]:
    with closing(sqlite3.connect(home / "state" / "helpdesk.db")) as connection:
        return dict(connection.execute("SELECT name, value FROM marks").fetchall())


def jobs(home: Path) -> list[tuple[str, int, int]]:
    """(state, messages, new ones) of each job."""
    with closing(sqlite3.connect(home / "state" / "helpdesk.db")) as connection:
        return connection.execute("SELECT state, messages, fresh FROM backfills ORDER BY id").fetchall()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_day_that_was_missed_comes_once_while_late_pushes_come(tmp_path: Path, stand_in: PlatformThread) -> None:
    has_run(tmp_path, stand_in, CONFIG + OUTAGE)
    connected_before(tmp_path, 24)
    ids = talk(stand_in, tickets=150, messages=2000)
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        for number in random.sample(range(8, 2000), 400):  # 7 comes as a push once the backfill is over
            ticket = f"70{number % 150:05}"
            stand_in.call(stand_in.platform.push, pushed(f"push-{number}", ids[number], ticket))
        daemon.until(lambda: len(message_ids(tmp_path)) == 2000, "all messages", 120)
        daemon.until(lambda: [job[0] for job in jobs(tmp_path)] == ["done"], "the job's end", 60)
        stand_in.call(stand_in.platform.push, pushed("very-late", ids[7], "7000007"))
        stand_in.call(stand_in.platform.push, pushed("new", "1", "7000007"))
        daemon.until(lambda: "1" in message_ids(tmp_path), "what was said after it")
        assert 0 == daemon.stop()
    assert {1} == set(message_ids(tmp_path).values())
    assert in_order(tmp_path)
    with Daemon(tmp_path, "backfill", "--since", "2d", domain=stand_in.url) as command:
        assert 0 == command.wait(120)
        assert command.stdout[0].startswith("0 new messages of 20"), command.stdout
    assert 2001 == len(records(tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [6, pytest.param(20, marks=pytest.mark.long)])
def test_killed_in_the_middle_it_is_the_same(tmp_path: Path, stand_in: PlatformThread, kills: int) -> None:
    has_run(tmp_path, stand_in, CONFIG + OUTAGE)
    connected_before(tmp_path, 24)
    ids = talk(stand_in, tickets=300, messages=900)
    fetched = [f"{TICKETS_PATH}/70{ticket:05}/messages" for ticket in range(300)]

    def asked() -> int:
        """Counted in the stand-in's thread, which may be noting a call."""
        return stand_in.call(lambda: sum(call.path in fetched for call in stand_in.platform.api_calls))

    killed = 0
    while killed < kills:
        before = asked()
        with Daemon(tmp_path, domain=stand_in.url) as daemon:
            daemon.ready()
            wanted = before + random.randrange(1, 3)
            daemon.until(lambda: asked() >= wanted, "some calls", 30)  # noqa: B023 waits at once
            number = random.randrange(900)
            stand_in.call(stand_in.platform.push, pushed(f"push-{number}", ids[number], f"70{number % 300:05}"))
            time.sleep(random.random() / 20)
            daemon.kill()
        killed += 1
        assert "done" not in [job[0] for job in jobs(tmp_path)], "all was fetched before the last kill"
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.until(lambda: [job[0] for job in jobs(tmp_path)] == ["done"], "the job's end", 90)
        daemon.until(lambda: len(message_ids(tmp_path)) == 900, "all messages", 30)
        assert 0 == daemon.stop()
    assert dict.fromkeys(ids, 1) == message_ids(tmp_path)
    assert in_order(tmp_path)


def test_a_job_that_a_refused_token_ended_is_done_once_the_token_is_right(
    tmp_path: Path, stand_in: PlatformThread
) -> None:
    """Nobody is there to ask for it again: the daemon asked itself."""
    (tmp_path / "token").write_text("ht-demo-token")
    (tmp_path / "token").chmod(0o600)
    has_run(tmp_path, stand_in, CONFIG.replace('token = "ht-demo-token"', 'token_file = "token"') + OUTAGE)
    connected_before(tmp_path, 24)
    ids = talk(stand_in, tickets=20, messages=40)
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.until(lambda: message_ids(tmp_path), "the first messages")
        stand_in.platform.api.helpdesks[HELPDESK] = "ht-another"
        daemon.until(lambda: [job[0] for job in jobs(tmp_path)] == ["failed"], "the job's end")
        (tmp_path / "token").write_text("ht-another")
        daemon.signal(signal.SIGHUP)
        daemon.until(lambda: [job[0] for job in jobs(tmp_path)] == ["failed", "done"], "another job's end")
        daemon.until(lambda: dict.fromkeys(ids, 1) == message_ids(tmp_path), "all messages")
        daemon.signal(signal.SIGHUP)
        daemon.until(lambda: daemon.said("reloaded") == 2, "another reload")
        assert 0 == daemon.stop()
    assert ["failed", "done"] == [job[0] for job in jobs(tmp_path)]


def test_a_short_gap_and_one_without_the_setting_are_told_only(tmp_path: Path, stand_in: PlatformThread) -> None:
    has_run(tmp_path, stand_in)
    talk(stand_in, tickets=1, messages=3)
    connected_before(tmp_path, 24)
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.until(lambda: daemon.said("nobody listened for a while"), "the gap is told")
        assert 1 == daemon.said("helpdesk-listen backfill fetches")
        assert 0 == daemon.stop()
    assert [] == jobs(tmp_path)


def test_the_command_leaves_the_work_to_the_daemon(tmp_path: Path, stand_in: PlatformThread) -> None:
    ids = talk(stand_in, tickets=2, messages=6)
    with Daemon(tmp_path, domain=stand_in.url, config=CONFIG) as daemon:
        daemon.ready()
        with Daemon(tmp_path, "backfill", "--since", "2d", domain=stand_in.url) as command:
            assert 0 == command.wait(30)
            assert command.stdout[0].startswith("6 new messages of 6 in 2 tickets")
            assert 1 == command.said("the daemon fetches")
        daemon.until(lambda: dict.fromkeys(ids, 1) == message_ids(tmp_path), "all messages")
        assert 0 == daemon.stop()


def test_the_first_start_fetches_from_since_on(tmp_path: Path, stand_in: PlatformThread) -> None:
    ids = talk(stand_in, tickets=2, messages=6)
    config = CONFIG + '[backfill]\nsince = "2d"\n'
    with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
        daemon.until(lambda: dict.fromkeys(ids, 1) == message_ids(tmp_path), "all messages", 20)
        assert 0 == daemon.stop()
