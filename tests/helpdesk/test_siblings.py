"""The ticket message's siblings: forwarded when they are asked for, acked and counted when they are not."""

import json

from listener.simulator import PlatformThread
from tests import samples
from tests.daemon import Daemon
from tests.inprocess import Commands

MESSAGE = "helpdesk.ticket_message.created_v1"
TYPES = [MESSAGE, *samples.siblings()]


def push_all(stand_in: PlatformThread) -> None:
    """One of each; returns when all are acked."""
    for envelope in [samples.example(), *samples.siblings().values()]:
        delivery = stand_in.call(stand_in.platform.push, envelope)
        stand_in.call(delivery.acked)
        assert [200] == delivery.codes


def test_asked_for_they_flow_like_the_message(commands: Commands, stand_in: PlatformThread) -> None:
    config = f"[feishu]\nevents = {json.dumps(TYPES)}\n"
    with Daemon(commands.home, domain=stand_in.url, config=config) as daemon:
        daemon.ready()
        push_all(stand_in)
        daemon.until(lambda: len(daemon.stdout) == 4, "four records")
        assert 0 == daemon.stop()
    assert TYPES == [record["event_type"] for record in daemon.records]
    _, created, updated, approved = daemon.records
    assert ("7157961378652045340", 50) == (created["event"]["ticket_id"], created["event"]["status"])
    assert "closed_by_bot" == created["event"]["status_name"]
    assert "7157961378652045340" == updated["event"]["object"]["ticket_id"]
    assert "6981801914270744596" == approved["event"]["notification_id"]


def test_not_asked_for_they_are_acked_and_counted(commands: Commands, stand_in: PlatformThread) -> None:
    with Daemon(commands.home, domain=stand_in.url) as daemon:
        daemon.ready()
        push_all(stand_in)
        counted = json.loads(commands.run("status", "--json", domain=stand_in.url).out)["events"]
        assert (1, 3) == (counted["kept"], counted["not_forwarded"])
        assert 3 == daemon.said("events of this type are not forwarded")
        daemon.until(lambda: daemon.stdout, "the message")
        assert 0 == daemon.stop()
    assert [MESSAGE] == [record["event_type"] for record in daemon.records]
