"""Sample payloads: the document's example, the shapes seen in the wild, and bytes that need repair or can't be read.

Every function returns fresh objects: change them as you like, `encode` makes the payload.
"""

import json
from copy import deepcopy
from typing import Any

from listener.event import Received, identify
from listener.simulator.conversation import EXAMPLE

Envelope = dict[str, Any]

TOKEN = EXAMPLE["header"]["token"]
EVENT_ID = EXAMPLE["header"]["event_id"]
TICKET_ID = EXAMPLE["event"]["ticket"]["ticket_id"]


def encode(envelope: object) -> bytes:
    """The payload as the platform sends it: compact, UTF-8 unescaped."""
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def received(payload: bytes, *, seq: int = 1, received_ms: int = 1608725989123) -> Received:
    """`payload` as the journal keeps it."""
    return Received(seq, *identify(payload), received_ms, payload)


def header(**changes: object) -> dict[str, Any]:
    """The document's header, its fields changed or added to."""
    return {**deepcopy(EXAMPLE["header"]), **changes}


def message(**changes: object) -> dict[str, Any]:
    """The document's `event` object."""
    return {**deepcopy(EXAMPLE["event"]), **changes}


def ticket(**changes: object) -> dict[str, Any]:
    """The document's ticket, its three numeric placeholders filled."""
    return {**message()["ticket"], **changes}


def comment() -> dict[str, Any]:
    """The document's comment; its ids are numbers."""
    return {**ticket()["comments"]}


def reason() -> dict[str, Any]:
    """The document's reason for dissatisfaction."""
    return {**ticket()["dissatisfaction_reason"]}


def example(event_id: str = EVENT_ID, **changes: object) -> Envelope:
    """The document's example; `changes` are of its `event` object."""
    return {"schema": "2.0", "header": header(event_id=event_id), "event": message(**changes)}


def bot_message() -> Envelope:
    """A real bot's message: no sender, a ticket of two fields, `position` a number, `chat_id` oc_…."""
    text = "**猜你想问**\n--------\n[以上都不是，转人工服务]\n"
    event = message(
        position=222,
        text=text,
        ticket={"status": 1, "ticket_id": "7157919461389959171"},
        chat_id="oc_3f37a0031825d258e3f66d5a8b600c7d",
        content={"content": text, "msg_type": "text"},
    )
    del event["sender_id"]
    return {"schema": "2.0", "header": header(event_id="7b378539bfbdd0a94a18af7a374cff47"), "event": event}


def seen() -> dict[str, Envelope]:
    """Every shape that the platform is known to send, by what is special about it."""
    return {
        "the document's example": example(),
        "a bot's message": bot_message(),
        "comments as a list": example(ticket=ticket(comments=[comment(), comment()])),
        "dissatisfaction_reason as a list": example(ticket=ticket(dissatisfaction_reason=[reason()])),
        "both null": example(ticket=ticket(comments=None, dissatisfaction_reason=None)),
        "position as a number": example(position=222),
        "chat_id as a number": example(chat_id=6949088236610273307),
        "an empty token": {"schema": "2.0", "header": header(token=""), "event": message()},
        "content as a string": example(content="请问vpn怎么下载"),
        "ticket as a list": example(ticket=[ticket(), ticket(status=2)]),
        "fields that no document names": undocumented(),
    }


def undocumented() -> Envelope:
    """The example with a field more at every level, of a type that must stay."""
    event = message(thread_id=7, ticket=ticket(sla_id=8, tags=["vip", {"id": 9}]), channel={"id": 1})
    return {"schema": "2.0", "header": header(region_id=5), "event": event, "trace": {"id": 6}}


def ticket_created() -> Envelope:
    """helpdesk.ticket.created_v1: the event is the ticket."""
    event_header = header(event_id="created-1", event_type="helpdesk.ticket.created_v1")
    return {"schema": "2.0", "header": event_header, "event": _ticket_event()}


def ticket_updated() -> Envelope:
    """helpdesk.ticket.updated_v1: the ticket, and what of it was otherwise before."""
    event = {"object": _ticket_event(), "old_object": {"status": 1, "updated_at": 1666592755000}}
    event_header = header(event_id="updated-1", event_type="helpdesk.ticket.updated_v1")
    return {"schema": "2.0", "header": event_header, "event": event}


def notification_approve() -> Envelope:
    """helpdesk.notification.approve_v1, one id a number."""
    event = {"notification_id": 6981801914270744596, "helpdesk_id": "692", "approve_status": "APPROVED"}
    event_header = header(event_id="approve-1", event_type="helpdesk.notification.approve_v1")
    return {"schema": "2.0", "header": event_header, "event": event}


def siblings() -> dict[str, Envelope]:
    """One event of each of the message's siblings, by its event type."""
    events = (ticket_created(), ticket_updated(), notification_approve())
    return {event["header"]["event_type"]: event for event in events}


def _ticket_event() -> dict[str, Any]:
    guest = {"id": {"open_id": "ou_dee0", "union_id": "on_e434", "user_id": 54646}, "name": "-"}
    return {
        "ticket_id": "7157961378652045340",
        "helpdesk_id": 6868205580868141059,
        "guest": guest,
        "stage": "1",
        "status": 50,
        "created_at": 1666592755000,
        "updated_at": 1666593118000,
        "closed_at": "1666593118000",
        "solve": 1,
        "agents": [{"id": 17, "name": "abc"}],
        "chat_id": "oc_b3829240889c07a32126f8ad05891497",
    }


def in_text(raw_json: bytes) -> bytes:
    """The example's payload with `raw_json` as the value of `event.text`, even if it is no JSON."""
    return encode(example(text="@@")).replace(b'"@@"', raw_json)


def repairable() -> dict[str, tuple[bytes, object]]:
    """Payloads that aren't quite JSON, and what `event.text` must become."""
    return {
        "bad UTF-8": (in_text(b'"a\xffb"'), "a�b"),
        "half a character": (in_text(b'"a\xe4\xbd"'), "a�"),
        "a lone high surrogate": (in_text(rb'"a\ud83d"'), "a�"),
        "a lone low surrogate": (in_text(rb'"\ude00b"'), "�b"),
        "an encoded surrogate": (in_text(b'"\xed\xa0\xbd"'), "���"),
        "too large for a double": (in_text(b"-1e400"), "-1e400"),
        "an endless integer": (in_text(b"1" * 5000), "1" * 5000),
        "not a number": (in_text(b"NaN"), "NaN"),
        "infinity": (in_text(b"-Infinity"), "-Infinity"),
        "a control character": (in_text(b'"a\nb"'), "a\nb"),
        "a byte order mark": (b"\xef\xbb\xbf" + in_text(b'"a"'), "a"),
    }


def unparsable() -> dict[str, tuple[bytes, str]]:
    """Payloads that can't be read, and how the reason begins."""
    return {
        "nothing": (b"", "not JSON"),
        "not JSON": (b"hello", "not JSON"),
        "cut off": (encode(example())[:-20], "not JSON"),
        "two objects": (encode(example()) * 2, "not JSON"),
        "a list": (b"[]", "not a JSON object"),
        "null": (b"null", "not a JSON object"),
        "no header": (b'{"event":{}}', "no header object"),
        "a header that is null": (b'{"header":null}', "no header object"),
        "a header that is a list": (b'{"header":[]}', "no header object"),
        "no event_id": (b'{"header":{"event_type":"x"}}', "no event_id"),
        **{
            f"event_id {text}": (b'{"header":{"event_id":%b}}' % text.encode(), "no event_id")
            for text in ("null", '""', "true", "1.5", "[]", "{}")
        },
        "deep": (deep(1000), "nested deeper"),
        "deeper than any stack": (deep(100_000), "nested deeper"),
    }


def deep(levels: int) -> bytes:
    """The example with `levels` lists in each other as its text, which are at level 3 and deeper."""
    return in_text(b"[" * levels + b"]" * levels)
