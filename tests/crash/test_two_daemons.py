"""Two daemons, on one journal and on two with one platform; and one whose journal is none."""

import json
from pathlib import Path

import pytest

from listener.simulator import PlatformThread
from listener.simulator.flood import default_payload
from tests.daemon import Daemon
from tests.lines import whole_lines

CONFIG = '[[sinks]]\nname = "archive"\ntype = "file"\npath = "out.jsonl"\n'
COUNT = 400


def ids(home: Path) -> list[str]:
    return [json.loads(line)["event_id"] for line in whole_lines(home / "logs" / "out.jsonl")]


def test_the_second_on_one_journal_refuses_and_names_the_first(tmp_path: Path) -> None:
    with PlatformThread() as stand_in, Daemon(tmp_path, domain=stand_in.url, config=CONFIG) as first:
        first.ready()
        with Daemon(tmp_path, domain=stand_in.url) as second:
            assert 74 == second.wait()
        assert second.said(f"another helpdesk-listen (pid {first.pid}) uses this journal")
        assert None is first.rc
        assert 0 == first.stop()
        with Daemon(tmp_path, domain=stand_in.url) as third:
            third.ready()


@pytest.mark.slow
def test_two_journals_share_what_the_platform_pushes(tmp_path: Path) -> None:
    """Each event goes to a random connection of the app; one daemon is killed meanwhile, and comes back."""
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir()
    with (
        PlatformThread(schedule=(0.2,) * 50) as stand_in,
        Daemon(homes[0], domain=stand_in.url, config=CONFIG) as one,
        Daemon(homes[1], domain=stand_in.url, config=CONFIG) as two,
    ):
        one.ready()
        two.ready()
        deliveries = [stand_in.call(stand_in.platform.push, default_payload(n)) for n in range(COUNT)]
        two.kill()
        deliveries += [stand_in.call(stand_in.platform.push, default_payload(n)) for n in range(COUNT, COUNT + 10)]
        with Daemon(homes[1], domain=stand_in.url) as back:
            back.ready()
            for delivery in deliveries:
                stand_in.call(delivery.acked)
            assert 0 == back.stop()
        assert 0 == one.stop()

    wanted = {f"{n:032x}" for n in range(COUNT + 10)}
    assert wanted == {*ids(homes[0]), *ids(homes[1])}
    for home in homes:
        assert len(set(ids(home))) == len(ids(home)) > 0


def test_a_journal_that_is_none_ends_the_daemon_with_74_and_stays(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    diary = tmp_path / "state" / "helpdesk.db"
    diary.write_text("Dear diary", encoding="utf-8")
    with Daemon(tmp_path, domain="http://127.0.0.1:1", config=CONFIG) as daemon:
        assert 74 == daemon.wait()
    assert daemon.said("not an SQLite database")
    assert daemon.said("→ move it away")
    assert "Dear diary" == diary.read_text(encoding="utf-8")
