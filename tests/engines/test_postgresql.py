"""The postgresql sink against a real server: what stands in the table, and who may do what."""

import json
import random
from pathlib import Path

import pytest

from listener.base.errors import ConfigError, Unavailable
from listener.sinks.network import NetworkConfig
from listener.sinks.postgresql_dsn import read_dsn
from listener.sinks.postgresql_schema import COLUMNS, Table
from tests.engines.configs import held
from tests.engines.probing import probed
from tests.engines.server import Database
from tests.journal.keeping import keep, opened, payload, rows, until
from tests.network.sending import drained, fill, sending
from tests.samples import encode, siblings, ticket


def stored(tmp_path: Path, wanted: NetworkConfig, *payloads: bytes) -> None:
    """Has a worker deliver these events."""
    with opened(tmp_path / "j.db") as journal:
        assert {200} == set(keep(journal, *payloads))
        with sending(journal, wanted) as worker:
            drained(worker)


def test_columns_are_those_of_the_contract_and_hold_what_the_record_says(tmp_path: Path, database: Database) -> None:
    stored(tmp_path, database.config(), payload("e1"), *map(encode, siblings().values()))
    names = "event_id,ticket_id,ticket_message_id,chat_id,sender_type,sender_open_id,ticket_status,text,seq"
    first = database.columns(names)[0]
    sender = "ou_84aad35d084aa403a838cf73ee18467"
    assert ["e1", "6626871355780366331", "6949088240624222236", "6949088236610273307", "bot", sender] == first[:6]
    assert ["closed_by_bot", "请问vpn怎么下载", "1"] == first[6:]
    assert [["7157961378652045340", "closed_by_bot"]] * 2 == database.columns("ticket_id,ticket_status")[1:3]
    assert [["t"]] * 4 == database.columns("record->>'event_id' = event_id AND seq = (record->>'seq')::int")
    assert [["2020-12-23 12:19:49"]] == database.columns("created_at AT TIME ZONE 'UTC'")[:1]
    kinds = database.sql(
        "SELECT attname, format_type(atttypid, -1) FROM pg_attribute WHERE attnum > 0 AND"
        " attrelid = 'helpdesk_events'::regclass ORDER BY attnum"
    )
    assert [[column.name, column.type] for column in COLUMNS] == kinds


@pytest.mark.parametrize("form", ["record", "raw", "cloudevents"])
@pytest.mark.parametrize("transform", [None, "{n: 1}", '"a text"'])
def test_columns_are_the_records_whatever_the_format_and_see_nothing_that_is_omitted_or_masked(
    tmp_path: Path, database: Database, form: str, transform: str | None
) -> None:
    omit = "data.sender_id" if form == "cloudevents" else "event.sender_id"
    wanted = database.config(format=form, omit=(omit,), mask=("email",), transform=transform)
    stored(tmp_path, wanted, payload("e1", text="mail me: a@b.com", content={"content": "mail me: a@b.com"}))
    found = database.columns("ticket_status,sender_type,text,sender_open_id,record")[0]
    assert ["closed_by_bot", "bot", "mail me: [email]", ""] == found[:4]
    assert "a@b.com" not in found[4]
    assert "ou_84aad" not in found[4]
    if transform:
        assert {"n": 1} == json.loads(found[4]) or "a text" == json.loads(found[4])


def test_a_filter_keeps_rows_out_and_text_that_is_omitted_is_in_no_column(tmp_path: Path, database: Database) -> None:
    wanted = database.config(filter='.event.sender_type_name == "guest"', omit=("event.text",))
    stored(tmp_path, wanted, payload("x", sender_type=1), payload("a", sender_type=2))
    assert [["a", ""]] == database.columns("event_id,text")


def test_a_replay_and_a_second_journal_store_nothing_twice(tmp_path: Path, database: Database) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with opened(tmp_path / name / "j.db") as journal:
            fill(journal, 300, 7)
            with sending(journal, database.config(in_flight=3, max_events=50)) as worker:
                drained(worker)
    assert (300, 300) == database.counts()


def test_a_nul_is_replaced_marked_and_told_and_the_batch_goes_in(
    tmp_path: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    backslash = payload("e2", text="C:\\u0000")
    nul = payload("e1", text="a\0b", content={"content": "a\0b"})
    stored(tmp_path, database.config(), payload("e0"), nul, backslash)
    found = database.columns("event_id, text, record->>'nul_replaced', record->'event'->>'text'")
    assert [["e1", "a�b", "true", "a�b"], ["e2", "C:\\u0000", "", "C:\\u0000"]] == found[1:]
    told = [line for line in capsys.readouterr().out.splitlines() if "NUL" in line]
    assert 1 == len(told)
    assert "e1" in told[0]


def test_a_row_that_is_refused_for_what_it_is_becomes_a_dead_letter_alone(tmp_path: Path, database: Database) -> None:
    """A key too long for an index, and an integer that a column of the user's does not hold."""
    stored(tmp_path, database.config(), payload("first"))
    database.sql(
        "ALTER TABLE helpdesk_events ADD COLUMN minute smallint GENERATED ALWAYS AS"
        " ((record #>> '{event,position}')::int) STORED"
    )
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9000))
    with opened(tmp_path / "k.db") as journal:
        fill(journal, 200, 20)
        keep(journal, payload("e-large", position=99999), payload(noise))
        fill(journal, 200, 20, first=200)
        with sending(journal, database.config(in_flight=2)) as worker:
            drained(worker)
        dead = rows(journal.path, "SELECT seq, reason FROM dead_letters ORDER BY seq")
        assert [201, 202] == [seq for seq, _ in dead]
        assert "smallint out of range" in dead[0][1]
        assert "index row" in dead[1][1]
    assert (401, 401) == database.counts()


def test_a_user_who_may_only_insert(tmp_path: Path, database: Database) -> None:
    database.sql("CREATE USER inserter PASSWORD 'inserter'")
    wanted = database.config(dsn=held(database.server.url(database.name, "inserter", "inserter")), create=False)
    with pytest.raises(Unavailable, match="no such table") as missing:
        probed(wanted)
    database.sql(missing.value.hint.partition("\n")[2])
    with pytest.raises(Unavailable, match="permission denied") as refused:
        probed(wanted)
    assert "GRANT INSERT" in refused.value.hint
    database.sql("GRANT INSERT ON helpdesk_events TO inserter")
    assert "takes events" in probed(wanted)
    stored(tmp_path, wanted, payload("e1"), payload("e2"))
    database.sql("ALTER TABLE helpdesk_events DROP COLUMN app_id, ADD COLUMN theirs int NOT NULL DEFAULT 7")
    with pytest.raises(Unavailable, match="lacks the column app_id") as missing:
        probed(wanted)
    database.sql(missing.value.hint.partition("\n")[2])
    assert "takes events" in probed(wanted)
    assert (2, 2) == database.counts()


def test_a_table_that_would_repeat_or_drop_events_is_refused(database: Database) -> None:
    create = Table("helpdesk_events").create.replace(" PRIMARY KEY", "")
    database.sql(create)
    with pytest.raises(Unavailable, match="nothing keeps its event_id unique"):
        probed(database.config(create=False))
    database.sql("ALTER TABLE helpdesk_events ADD UNIQUE (event_id), ADD UNIQUE (ticket_id)")
    with pytest.raises(Unavailable, match="would drop events"):
        probed(database.config())
    database.sql("ALTER TABLE helpdesk_events DROP CONSTRAINT helpdesk_events_ticket_id_key")
    database.sql("ALTER TABLE helpdesk_events ADD COLUMN theirs int NOT NULL")
    with pytest.raises(Unavailable, match="theirs wants a value"):
        probed(database.config())


def test_an_older_table_is_migrated_and_filled_from_its_records(tmp_path: Path, database: Database) -> None:
    """One made by hand: columns fewer, of other types, a view of another shape that somebody reads."""
    database.sql(
        "CREATE TABLE helpdesk_events (event_id varchar(80), seq int, ticket_id text, created_at timestamp,"
        " record json);"
        "CREATE VIEW helpdesk_tickets AS SELECT ticket_id, count(*) AS n FROM helpdesk_events GROUP BY 1;"
    )
    stored_record = {
        "event_id": "old",
        "plain_text": "hello",
        "received_at": "2026-01-02T03:04:05.678Z",
        "event": {"ticket": {"status_name": "queued"}, "sender_type_name": "guest"},
    }
    record = json.dumps(stored_record)
    old = f"('old', 1, 't1', '2026-01-02 03:04:05', '{record}')"
    database.sql(f"INSERT INTO helpdesk_events VALUES {old}")  # noqa: S608 our own words
    with pytest.raises(Unavailable, match="its column seq is integer, not bigint"):
        probed(database.config(create=False))
    stored(tmp_path, database.config(), payload("e1"))
    filled = database.sql(
        "SELECT text, ticket_status, sender_type, received_at AT TIME ZONE 'UTC', pg_typeof(seq), pg_typeof(record)"
        " FROM helpdesk_events WHERE event_id = 'old'"
    )
    assert [["hello", "queued", "guest", "2026-01-02 03:04:05.678", "bigint", "jsonb"]] == filled
    assert (2, 2) == database.counts()
    assert [["t1", "queued"]] == database.sql("SELECT ticket_id, status FROM helpdesk_tickets WHERE ticket_id='t1'")


def test_two_sinks_that_start_at_once_make_one_table(tmp_path: Path, database: Database) -> None:
    with opened(tmp_path / "a.db") as one, opened(tmp_path / "b.db") as two:
        fill(one, 100, 10)
        fill(two, 100, 10, first=100)
        with sending(one, database.config()) as first, sending(two, database.config()) as second:
            drained(first)
            drained(second)
        assert first.state.paused is None is second.state.paused
    assert (200, 200) == database.counts()


def test_views_chart_tickets_and_hours(tmp_path: Path, database: Database) -> None:
    """A guest asks at 10:00, the bot answers, an agent at 10:05, closed at 10:30, open again, closed at 11:00."""
    story = [(0, 2, 1), (1, 1, 1), (5, 3, 2), (30, 3, 51), (40, 2, 2), (60, 3, 51), (65, 2, 51)]
    base = 1_800_000_000_000 // 3_600_000 * 3_600_000
    payloads = []
    for n, (minute, sender, status) in enumerate(story):
        event = payload(f"e{n}", sender_type=sender, ticket=ticket(ticket_id="t1", status=status))
        payloads.append(event.replace(b'"1608725989000"', b'"%d"' % (base + minute * 60_000)))
    stored(tmp_path, database.config(), *payloads)
    found = database.sql(
        "SELECT ticket_id, status, guest_messages, agent_messages, bot_messages, first_response_seconds,"
        " resolution_seconds FROM helpdesk_tickets"
    )
    assert [["t1", "closed_by_agent", "3", "3", "1", "300", "3600"]] == found
    hours = "SELECT sender_type, messages, tickets FROM helpdesk_messages_hourly ORDER BY hour, sender_type"
    assert [["agent", "2", "1"], ["bot", "1", "1"], ["guest", "2", "1"], ["agent", "1", "1"], ["guest", "1", "1"]] == (
        database.sql(hours)
    )


def test_the_secret_words_of_a_dsn_are_shown_nowhere(
    tmp_path: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = database.config(dsn=held(database.server.url(password="wr0ng-w0rd")))
    with opened(tmp_path / "j.db") as journal:
        fill(journal, 3, 1)
        with sending(journal, wanted) as worker:
            until(lambda: worker.state.paused, "it is paused")
            assert "password authentication failed" in str(worker.state.paused)
    said = "".join(capsys.readouterr()) + repr(wanted)
    assert "wr0ng-w0rd" not in said


def test_beyond_this_machine_a_dsn_means_tls() -> None:
    assert "verify-full" == read_dsn("postgresql://u:p@db.example/x", allow_plaintext=False).mode
    assert "prefer" == read_dsn("postgresql://u:p@127.0.0.1,[::1]:5432,localhost/x", allow_plaintext=False).mode
    assert "prefer" == read_dsn("postgresql:///x?host=/run/postgresql", allow_plaintext=False).mode
    two = read_dsn(
        "postgresql://u:p@a.example,b.example:5433/x?sslmode=require&connect_timeout=3", allow_plaintext=False
    )
    assert ("require", "a.example,b.example:5433/x", "read-write") == (two.mode, two.where, two.target)
    for mode in ("disable", "allow", "prefer"):
        with pytest.raises(ConfigError, match="may read along"):
            read_dsn(f"postgresql://u:p@127.0.0.1,db.example/x?sslmode={mode}", allow_plaintext=False)
        assert mode == read_dsn(f"postgresql://u:p@db.example/x?sslmode={mode}", allow_plaintext=True).mode
    for wrong in ("host=db user=u", "mysql://x", "postgresql://[::1/x", "postgresql://h/x?sslmode=maybe"):
        with pytest.raises(ConfigError) as refused:
            read_dsn(wrong, allow_plaintext=False)
        assert wrong not in str(refused.value)
