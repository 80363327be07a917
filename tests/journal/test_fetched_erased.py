"""What was fetched for an event is erased with it, and found by the person whom it names."""

from pathlib import Path

from listener.event import TICKET_MESSAGE
from listener.journal import Pending, enrichment, erasure
from listener.journal.enrichment import Enriched
from tests.journal.keeping import opened
from tests.samples import encode, example


def test_a_person_whom_only_the_fetched_ticket_names(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        journal.keep([Pending(encode(example(f"e{n}")), f"e{n}", TICKET_MESSAGE) for n in (1, 2, 3)])
        rows = [Enriched(1, 1, b""), Enriched(2, 2, b'{"attachments":[]}'), Enriched(3, 2, b"")]
        details = {1: b'{"guest":{"id":"ou_only_here"}}', 2: b'{"guest":{"id":"ou_other"}}'}
        journal.do(lambda connection: enrichment.store(connection, 3, rows, details))
        found = journal.ask(lambda c: erasure.found(c, "ou_only_here", erasure.of_person(c, "ou_only_here")))
        assert [1] == list(found.seqs)
        journal.do(lambda connection: erasure.erase(connection, found))
        added = journal.ask(lambda connection: enrichment.added(connection, [1, 2, 3]))
        assert {
            2: b'{"ticket_detail":{"guest":{"id":"ou_other"}},"attachments":[]}',
            3: b'{"ticket_detail":{"guest":{"id":"ou_other"}}}',
        } == added
        bodies = journal.ask(lambda connection: connection.execute("SELECT id FROM details").fetchall())
        assert [(2,)] == bodies


def test_what_was_being_fetched_for_an_event_that_is_erased_is_not_kept(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        journal.keep([Pending(encode(example(f"e{n}")), f"e{n}", TICKET_MESSAGE) for n in (1, 2, 3)])
        journal.do(lambda connection: erasure.erase(connection, erasure.Found([1, 3], [])))
        rows = [Enriched(1, 1, b""), Enriched(2, 2, b""), Enriched(3, 2, b'{"attachments":[]}')]
        details = {1: b'{"guest":{"id":"ou_erased"}}', 2: b'{"guest":{"id":"ou_other"}}'}
        journal.do(lambda connection: enrichment.store(connection, 3, rows, details))
        assert [(2, 2)] == journal.ask(lambda c: c.execute("SELECT seq, detail FROM enriched").fetchall())
        assert [(2,)] == journal.ask(lambda c: c.execute("SELECT id FROM details").fetchall())


def test_images_that_another_event_has_stay(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        journal.keep([Pending(encode(example(f"e{n}")), f"e{n}", TICKET_MESSAGE) for n in (1, 2)])
        mine, shared = f"/images/{'a' * 64}.png", f"/images/{'b' * 64}.png"
        both = b'{"attachments":[{"file":"%s"},{"file":"%s"},{"error":"gone"}]}' % (mine.encode(), shared.encode())
        rows = [Enriched(1, None, both), Enriched(2, None, b'{"attachments":[{"file":"%s"}]}' % shared.encode())]
        journal.do(lambda connection: enrichment.store(connection, 2, rows, {}))
        events = journal.read(0, 1)
        found = journal.ask(lambda connection: erasure.found(connection, "nobody", iter(events)))
        assert [f"{'a' * 64}.png"] == found.images
