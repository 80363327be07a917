"""A message that was pushed and one that was fetched are one: whichever comes first is kept."""

from pathlib import Path

import pytest

from listener.event import TICKET_MESSAGE
from listener.journal import Pending
from listener.journal.messages import PREFIX
from tests.journal.keeping import opened
from tests.samples import encode, example


def pushed(event_id: str, message_id: str) -> Pending:
    return Pending(encode(example(event_id, ticket_message_id=message_id)), event_id, TICKET_MESSAGE)


def fetched(message_id: str) -> Pending:
    event_id = f"{PREFIX}{message_id}"
    return Pending(encode(example(event_id, ticket_message_id=message_id)), event_id, TICKET_MESSAGE)


def kept(tmp_path: Path, *batches: list[Pending]) -> list[str]:
    """The event ids that are in the journal after these batches, each of which is one commit or more."""
    with opened(tmp_path / "j.db") as journal:
        for batch in batches:
            journal.keep(batch)
            assert {200} == {pending.code for pending in batch}
        return [event.event_id for event in journal.read(0, 100)]


MESSAGE = "6949088240624222236"


@pytest.mark.parametrize("message_id", [MESSAGE, "om_1", "007"])
def test_whichever_comes_first(tmp_path: Path, message_id: str) -> None:
    push, fetch = pushed("e1", message_id), fetched(message_id)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert ["e1"] == kept(tmp_path / "a", [push], [fetch])
    assert [f"{PREFIX}{message_id}"] == kept(tmp_path / "b", [fetched(message_id)], [pushed("e1", message_id)])
    assert fetch.duplicate


def test_in_one_batch_too_and_after_a_restart(tmp_path: Path) -> None:
    assert ["e1", f"{PREFIX}2"] == kept(tmp_path, [pushed("e1", "1"), fetched("1"), fetched("2"), pushed("e2", "2")])
    assert ["e1", f"{PREFIX}2", "e3"] == kept(
        tmp_path, [pushed("e2", "2"), fetched("1"), fetched("2"), pushed("e3", "3")]
    )


def test_two_pushes_are_told_apart_by_their_event_ids_alone(tmp_path: Path) -> None:
    assert ["e1", "e2"] == kept(tmp_path, [pushed("e1", "1")], [pushed("e2", "1")], [fetched("1")])


def test_a_payload_without_a_message_id_has_no_twin(tmp_path: Path) -> None:
    odd = encode(example("e1", ticket_message_id=None))
    assert [f"{PREFIX}1", "e1"] == kept(tmp_path, [fetched("1")], [Pending(odd, "e1", TICKET_MESSAGE)])
