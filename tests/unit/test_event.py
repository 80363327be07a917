"""The event module: what comes out of each format, for every shape that may come in."""

import json
from typing import Any

import pytest

from listener.event import FORMATS, TICKET_MESSAGE, parse, ticket_of, timestamp
from listener.journal import Pending
from tests import samples


def record(envelope: object, format_: str = "record") -> Any:
    """The formatted envelope, decoded again."""
    return json.loads(FORMATS[format_](samples.received(samples.encode(envelope))))


def test_the_documents_example_as_a_record() -> None:
    expected_event = samples.message(
        position=10,
        sender_type_name="bot",
        ticket=samples.ticket(
            comments=[samples.comment() | {"id": "6949088240624222236", "user_id": "6949088240624222236"}],
            dissatisfaction_reason=[samples.reason()],
            ticket_type_name="bot",
            status_name="closed_by_bot",
        ),
    )
    expected = {
        "event_id": samples.EVENT_ID,
        "event_type": TICKET_MESSAGE,
        "created_at": "2020-12-23T12:19:49.000Z",
        "received_at": "2020-12-23T12:19:49.123Z",
        "app_id": "cli_9f5343c580712544",
        "tenant_key": "2ca1d211f64f6438",
        "schema": "2.0",
        "seq": 1,
        "event": expected_event,
        "plain_text": "请问vpn怎么下载",
    }
    assert expected == record(samples.example())


def test_the_documents_example_raw() -> None:
    expected = samples.encode(samples.example()).replace(samples.TOKEN.encode(), b"")
    pretty = json.dumps(samples.example(), indent=4).encode()
    assert expected == FORMATS["raw"](samples.received(pretty))


def test_the_documents_example_as_a_cloudevent() -> None:
    expected = {
        "specversion": "1.0",
        "id": samples.EVENT_ID,
        "source": "/feishu/2ca1d211f64f6438/cli_9f5343c580712544",
        "type": TICKET_MESSAGE,
        "subject": samples.TICKET_ID,
        "time": "2020-12-23T12:19:49.000Z",
        "datacontenttype": "application/json",
        "data": record(samples.example())["event"],
    }
    assert expected == record(samples.example(), "cloudevents")


@pytest.mark.parametrize("envelope", samples.seen().values(), ids=samples.seen().keys())
@pytest.mark.parametrize("format_", FORMATS)
def test_every_shape_seen_is_one_line_without_the_token(envelope: samples.Envelope, format_: str) -> None:
    line = FORMATS[format_](samples.received(samples.encode(envelope)))
    assert 1 == len(line.splitlines())
    assert not line.endswith(b"\n")
    assert samples.TOKEN.encode() not in line
    assert b"\\u" not in line


def test_a_bots_message() -> None:
    expected = samples.bot_message()["event"] | {
        "sender_type_name": "bot",
        "ticket": {"status": 1, "ticket_id": "7157919461389959171", "status_name": "created"},
    }
    assert expected == record(samples.bot_message())["event"]


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (None, []),
        ([], []),
        ({"id": 1}, [{"id": "1"}]),
        ([{"id": 1}, None, "x"], [{"id": "1"}, None, "x"]),
        ("x", ["x"]),
        (0, [0]),
    ],
)
def test_comments_are_a_list(came: object, expected: object) -> None:
    assert expected == record(samples.example(ticket={"comments": came}))["event"]["ticket"]["comments"]


@pytest.mark.parametrize("name", ["comments", "dissatisfaction_reason", "status", "position"])
def test_what_did_not_come_is_absent(name: str) -> None:
    assert name not in record(samples.example(ticket={"ticket_id": "1"}))["event"]["ticket"]


@pytest.mark.parametrize(
    ("came", "expected"),
    [("10", 10), (222, 222), ("-0.5", -0.5), ("1e2", 100.0), ("12345678901234567890123", 12345678901234567890123)]
    + [(same, same) for same in ("", "abc", " 10 ", "010", "+1", "1_0", "１", "1e400", "10\n", "NaN", None, True)]
    + [(same, same) for same in ([1], {"a": "1"}, "9" * 5000)],
)  # fmt: skip
def test_numbers(came: object, expected: object) -> None:
    event = record(samples.example(position=came, ticket={"agent_service_duration": came}))["event"]
    assert (expected, type(expected)) == (event["position"], type(event["position"]))
    assert expected == event["ticket"]["agent_service_duration"]


def test_the_position_of_a_customized_field_is_a_number_too() -> None:
    fields = [{"id": 123, "position": "2", "required": "true"}]
    actual = record(samples.example(ticket={"customized_fields": fields}))["event"]["ticket"]
    assert {"customized_fields": [{"id": "123", "position": 2, "required": "true"}]} == actual


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (6949088236610273307, "6949088236610273307"),
        ("oc_1", "oc_1"),
        (1.5, "1.5"),
        (None, None),
        (True, True),
        ([1], [1]),
    ],
)
def test_ids_are_strings(came: object, expected: object) -> None:
    event = record(samples.example(chat_id=came, ticket={"agent_owner": {"id": came}}, sender_id=came))["event"]
    assert [expected] * 3 == [event["chat_id"], event["ticket"]["agent_owner"]["id"], event["sender_id"]]


@pytest.mark.parametrize(
    ("code", "expected"),
    [(1, "created"), (2, "processing"), (3, "queued"), (4, "pending"), (5, "waiting_for_user")]
    + [(50, "closed_by_bot"), (51, "closed_by_agent"), (52, "closed_by_user"), ("52", "closed_by_user")]
    + [(other, "unknown") for other in (0, 6, "x", None, True, [1], {"a": 1})],
)
def test_names_of_status_codes(code: object, expected: str) -> None:
    assert expected == record(samples.example(ticket={"status": code}))["event"]["ticket"]["status_name"]


@pytest.mark.parametrize(("code", "expected"), [(1, "bot"), (2, "guest"), (3, "agent"), (4, "unknown")])
def test_names_of_sender_types(code: int, expected: str) -> None:
    assert expected == record(samples.example(sender_type=code))["event"]["sender_type_name"]


@pytest.mark.parametrize(("code", "expected"), [(1, "bot"), (2, "human"), (3, "unknown")])
def test_names_of_ticket_types(code: int, expected: str) -> None:
    assert expected == record(samples.example(ticket={"ticket_type": code}))["event"]["ticket"]["ticket_type_name"]


def test_a_name_that_the_platform_sent_stays() -> None:
    assert "机器人" == record(samples.example(sender_type_name="机器人"))["event"]["sender_type_name"]


def test_a_ticket_that_is_a_list() -> None:
    tickets = record(samples.example(ticket=[{"ticket_id": 1, "status": "2"}, "x"]))["event"]["ticket"]
    assert [{"ticket_id": "1", "status": 2, "status_name": "processing"}, "x"] == tickets


@pytest.mark.parametrize("event", [None, "x", 5, [{"chat_id": 1}]])
def test_an_event_that_is_no_object_stays(event: object) -> None:
    assert event == record({"header": samples.header(), "event": event})["event"]


def test_undocumented_fields_stay_at_their_place() -> None:
    actual = record(samples.undocumented())
    assert (5, {"id": 6}) == (actual["region_id"], actual["trace"])
    assert (7, {"id": 1}) == (actual["event"]["thread_id"], actual["event"]["channel"])
    assert (8, ["vip", {"id": 9}]) == (actual["event"]["ticket"]["sla_id"], actual["event"]["ticket"]["tags"])


def test_undocumented_fields_whose_name_the_record_uses_are_extra() -> None:
    header = samples.header(seq=1, event=2, received_at=3, schema=4, extra=5, region="header")
    envelope = {"header": header, "seq": 6, "extra": 7, "created_at": 8, "region": "envelope"}
    expected = {
        "seq": 1, "event": 2, "received_at": 3, "schema": 4, "extra": 5,
        "seq_": 6, "extra_": 7, "created_at": 8, "region": "envelope",
    }  # fmt: skip
    actual = record(envelope)
    assert (1, "header", expected) == (actual["seq"], actual["region"], actual["extra"])
    assert not {"event", "schema"} & actual.keys()


def test_the_token_of_the_first_versions_envelope_is_secret_too() -> None:
    envelope = {"token": "secret", "header": samples.header(token=None), "event": {}}
    assert "token" not in record(envelope)
    assert ("", "") == ((raw := record(envelope, "raw"))["token"], raw["header"]["token"])
    assert "token" not in record({"header": {"event_id": "1"}}, "raw")


@pytest.mark.parametrize("came", ["soon", "", None, 1.5, str(10**20), 10**30, -(10**30), True, [1]])
def test_a_time_that_can_not_be_converted_stays(came: object) -> None:
    envelope = {"header": samples.header(create_time=came)}
    assert came == record(envelope)["created_at"]
    assert "time" not in record(envelope, "cloudevents")


def test_a_bare_event() -> None:
    bare = {"header": {"event_id": 7, "app_id": 8}}
    expected = {"event_id": "7", "app_id": "8", "received_at": "2020-12-23T12:19:49.123Z", "seq": 1}
    assert expected == record(bare)
    expected = {"specversion": "1.0", "id": "7", "source": "/feishu//8", "type": "unknown"}
    assert expected | {"datacontenttype": "application/json"} == record(bare, "cloudevents")
    assert bare == record(bare, "raw")


def test_the_source_of_a_cloudevent_is_percent_encoded() -> None:
    envelope = {"header": samples.header(tenant_key="a/b 键", app_id="c/d")}
    assert "/feishu/a%2Fb%20%E9%94%AE/c%2Fd" == record(envelope, "cloudevents")["source"]


def test_raw_keeps_order_and_values() -> None:
    payload = b'{"z":18446744073709551616,"header":{"event_id":7,"a":"\\u4f60"},"f":[0.1,1.50,1e5,-0.0,"\\n"],"z2":{}}'
    expected = '{"z":18446744073709551616,"header":{"event_id":7,"a":"你"},"f":[0.1,1.5,100000.0,-0.0,"\\n"],"z2":{}}'
    assert expected.encode() == FORMATS["raw"](samples.received(payload))


def test_the_siblings_are_converted_by_their_own_fields() -> None:
    events = {name: record(envelope)["event"] for name, envelope in samples.siblings().items()}
    created = events["helpdesk.ticket.created_v1"]
    assert ("6868205580868141059", 1, "closed_by_bot") == (
        created["helpdesk_id"], created["stage"], created["status_name"],
    )  # fmt: skip
    assert ("54646", "17", 1666593118000) == (
        created["guest"]["id"]["user_id"], created["agents"][0]["id"], created["closed_at"],
    )  # fmt: skip
    updated = events["helpdesk.ticket.updated_v1"]
    assert (created, "created") == (updated["object"], updated["old_object"]["status_name"])
    assert "6981801914270744596" == events["helpdesk.notification.approve_v1"]["notification_id"]


def test_an_unknown_event_is_passed_on() -> None:
    envelope = {"header": samples.header(event_type="other"), "event": {"chat_id": 1, "status": "2"}}
    assert envelope["event"] == record(envelope)["event"]


def test_parse() -> None:
    event = parse(samples.encode(samples.example(ticket=[samples.ticket(ticket_id=5)])))
    assert (samples.EVENT_ID, TICKET_MESSAGE) == (event.event_id, event.event_type)
    assert ("cli_9f5343c580712544", "2ca1d211f64f6438") == (event.app_id, event.tenant_key)
    assert (1608725989000, "5") == (event.created_ms, event.ticket_id)
    assert samples.example(ticket=[samples.ticket(ticket_id=5)]) == event.envelope


@pytest.mark.parametrize("envelope", samples.siblings().values(), ids=samples.siblings().keys())
def test_parse_finds_the_siblings_ticket(envelope: samples.Envelope) -> None:
    expected = None if "approve" in envelope["header"]["event_type"] else "7157961378652045340"
    assert expected == parse(samples.encode(envelope)).ticket_id


@pytest.mark.parametrize("event", [None, "x", {}, {"ticket": []}, {"ticket": {"ticket_id": ""}}])
def test_parse_finds_no_ticket(event: object) -> None:
    assert parse(samples.encode({"header": {"event_id": "1"}, "event": event})).ticket_id is None


def test_reprs_hold_no_token() -> None:
    received = samples.received(samples.encode(samples.example()))
    pending = Pending(received.payload, received.event_id, received.event_type)
    assert samples.TOKEN not in f"{received!r} {received} {parse(received.payload)!r} {pending!r}"
    for one in (received, parse(received.payload), pending):
        assert samples.TOKEN not in str(one.__rich_repr__())


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (1608725989000, "2020-12-23T12:19:49.000Z"),
        (1608725989999, "2020-12-23T12:19:49.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253402300799999, "9999-12-31T23:59:59.999Z"),
        (253402300800000, "253402300800000"),
        (-(10**40), str(-(10**40))),
    ],
)
def test_timestamp(ms: int, expected: str) -> None:
    assert expected == timestamp(ms)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(samples.encode(samples.example()), samples.TICKET_ID), (b'{"header":{}}', None), (b"no JSON", None)],
)
def test_the_ticket_of_a_payload(payload: bytes, expected: str | None) -> None:
    assert expected == ticket_of(payload)
