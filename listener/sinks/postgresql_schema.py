"""Defines the table and the views of the postgresql sink as SQL, and tells what is wrong with an existing table. Pure.

`VERSION` stands in the comment of the view of tickets: where that is another one, or a column is missing, `migration`
runs. A change of the views appends columns and raises VERSION: CREATE OR REPLACE keeps the grants of their readers.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

VERSION: Final = "helpdesk-listen 1"
MESSAGE: Final = "helpdesk.ticket_message.created_v1"


class Column(NamedTuple):
    """A column; `path` is where the record of an older row has its value."""

    name: str
    type: str
    path: str


COLUMNS: Final = (
    Column("event_id", "text", "event_id"),
    Column("event_type", "text", "event_type"),
    Column("ticket_id", "text", "event,ticket,ticket_id"),
    Column("ticket_message_id", "text", "event,ticket_message_id"),
    Column("chat_id", "text", "event,chat_id"),
    Column("sender_type", "text", "event,sender_type_name"),
    Column("sender_open_id", "text", "event,sender_id,open_id"),
    Column("ticket_status", "text", "event,ticket,status_name"),
    Column("text", "text", "plain_text"),
    Column("created_at", "timestamp with time zone", "created_at"),
    Column("received_at", "timestamp with time zone", "received_at"),
    Column("app_id", "text", "app_id"),
    Column("tenant_key", "text", "tenant_key"),
    Column("seq", "bigint", "seq"),
    Column("record", "jsonb", ""),
)
_SENT_AS: Final = {"jsonb": "bytea"}  # the JSON's text
_NAMES: Final = ", ".join(f'"{column.name}"' for column in COLUMNS)

LOOK_AT_COLUMNS: Final = """
SELECT attname AS name, format_type(atttypid, atttypmod) AS type,
  attnotnull AND NOT atthasdef AND attidentity = '' AS needed
FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"""
LOOK_AT_KEYS: Final = """
SELECT indexrelid::regclass::text AS name,
  array(SELECT attname::text FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY (indkey)) AS columns,
  indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL AS whole
FROM pg_index WHERE indrelid = to_regclass($1) AND indisunique"""
LOOK_AT_VIEW: Final = "SELECT obj_description(to_regclass($1), 'pg_class')"


class FoundTable(NamedTuple):
    """What the catalogue says of the table: `columns` maps names to types, `needed` are those that a row must give."""

    columns: Mapping[str, str]
    needed: frozenset[str]
    keys: Sequence[tuple[str, frozenset[str], bool]]  # unique indexes: name, columns, whether they hold for every row
    comment: str | None


class Problem(NamedTuple):
    """What is wrong with the table, and the SQL that corrects it; `is_ours`: nobody else relies on what it changes."""

    what: str
    sql: str
    is_ours: bool = True


class Table:
    """The SQL for a table of this name, which may begin with a schema."""

    def __init__(self, name: str) -> None:
        schema, _, bare = name.rpartition(".")
        before, stem = (f'"{schema}".' if schema else ""), bare.removesuffix("_events")
        self.name, self._bare = f'{before}"{bare}"', bare
        self.tickets, self.hourly = f'{before}"{stem}_tickets"', f'{before}"{stem}_messages_hourly"'

    @property
    def insert(self) -> str:
        """Returns the INSERT that takes an array for each column. ON CONFLICT names none, to need no SELECT rights."""
        arrays = ", ".join(f"${n}::{_SENT_AS.get(column.type, column.type)}[]" for n, column in enumerate(COLUMNS, 1))
        values = _NAMES.replace('"record"', "convert_from(\"record\", 'UTF8')::jsonb")
        rows = f"unnest({arrays}) AS sent ({_NAMES})"
        return f"INSERT INTO {self.name} ({_NAMES}) SELECT {values} FROM {rows} ON CONFLICT DO NOTHING"  # noqa: S608 names that a rule checked

    def problems(self, found: FoundTable) -> list[Problem]:
        """Returns what is wrong with the table; without any problem it takes events."""
        if not found.columns:
            return [Problem("there is no such table", self.create)]
        return [*self._wrong_columns(found), *self._wrong_keys(found)]

    def is_current(self, found: FoundTable) -> bool:
        """Returns whether the views, too, are those of this version."""
        return not self.problems(found) and (found.comment or "").startswith(VERSION)

    def migration(self, found: FoundTable) -> list[str]:
        """Returns the statements that make or change the table, its indexes and its views, for one transaction."""
        changes = [one.sql for one in self.problems(found) if one.is_ours]
        retyped = any(" TYPE " in sql for sql in changes)
        drop = [f"DROP VIEW IF EXISTS {self.tickets}, {self.hourly}"] if retyped else []
        added = [c for c in COLUMNS if found.columns and c.name not in found.columns and c.path]
        fill = [self._fill(added)] if added and "record" in found.columns else []
        return [*drop, *changes, *fill, self._compression, *self.indexes, *self.views]

    @property
    def create(self) -> str:
        columns = ", ".join(f'"{c.name}" {c.type}{" PRIMARY KEY" if n == 0 else ""}' for n, c in enumerate(COLUMNS))
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns})"

    @property
    def _compression(self) -> str:
        """Returns SQL for LZ4, which costs the server a fifth less time a row than its default, where it has LZ4."""
        return (
            f'DO $$ BEGIN ALTER TABLE {self.name} ALTER COLUMN "record" SET COMPRESSION lz4;'
            " EXCEPTION WHEN feature_not_supported OR syntax_error THEN NULL; END $$"
        )

    @property
    def indexes(self) -> list[str]:
        """Returns the statements for the indexes that the views use."""
        made = f'CREATE INDEX IF NOT EXISTS "{self._bare}_{{}}_idx" ON {self.name} ({{}})'
        return [made.format("ticket", "ticket_id, created_at"), made.format("created_at", "created_at")]

    @property
    def views(self) -> list[str]:
        return [
            _TICKETS.format(view=self.tickets, table=self.name),
            _HOURLY.format(view=self.hourly, table=self.name, message=MESSAGE),
            f"COMMENT ON VIEW {self.tickets} IS '{VERSION}: a row for each ticket'",
            f"COMMENT ON VIEW {self.hourly} IS '{VERSION}: messages for each hour and kind of sender'",
        ]

    def _wrong_columns(self, found: FoundTable) -> list[Problem]:
        alter, wrong = f"ALTER TABLE {self.name}", []
        for name, kind, _ in COLUMNS:
            if name not in found.columns:
                sql = f'{alter} ADD COLUMN IF NOT EXISTS "{name}" {kind}'
                wrong.append(Problem(f"it lacks the column {name}", sql))
            elif found.columns[name] != kind:
                sql = f'{alter} ALTER COLUMN "{name}" TYPE {kind} USING "{name}"::{kind}'
                wrong.append(Problem(f"its column {name} is {found.columns[name]}, not {kind}", sql))
        for name in sorted(found.needed - {column.name for column in COLUMNS}):
            sql = f'{alter} ALTER COLUMN "{name}" DROP NOT NULL'
            wrong.append(Problem(f"its column {name} wants a value and has no default", sql, is_ours=False))
        return wrong

    def _wrong_keys(self, found: FoundTable) -> list[Problem]:
        """Returns problems of keys: without one on event_id a crash repeats events; others would drop some unsaid."""
        ours = {column.name for column in COLUMNS}
        wrong = []
        if not any(columns == {"event_id"} and whole for _, columns, whole in found.keys):
            sql = f'ALTER TABLE {self.name} ADD UNIQUE ("event_id")'
            wrong.append(Problem("nothing keeps its event_id unique", sql))
        for name, columns, _ in found.keys:
            if columns <= ours - {"event_id"} and columns:
                what = f"its unique index {name} would drop events that differ elsewhere"
                wrong.append(Problem(what, f"DROP INDEX {name}", is_ours=False))
        return wrong

    def _fill(self, added: Sequence[Column]) -> str:
        """Returns the statements that fill columns which older rows did not have, from their records."""
        values = ", ".join(f'"{c.name}" = {_from_record(c)}' for c in added)
        return f"UPDATE {self.name} SET {values}"  # noqa: S608 names that a rule checked


def _from_record(column: Column) -> str:
    value = f"record #>> '{{{column.path}}}'"
    if column.type == "text":
        return f"({value})"
    right = r"^\d{4}-\d\d-\d\dT" if column.type.startswith("timestamp") else r"^\d{1,18}$"
    return f"CASE WHEN {value} ~ '{right}' THEN ({value})::{column.type} END"


_TICKETS: Final = """CREATE OR REPLACE VIEW {view} AS
WITH ticket AS (
  SELECT ticket_id,
    min(coalesce(created_at, received_at)) AS opened_at,
    max(coalesce(created_at, received_at)) AS last_event_at,
    (array_agg(ticket_status ORDER BY coalesce(created_at, received_at) DESC, seq DESC)
      FILTER (WHERE ticket_status IS NOT NULL))[1] AS status,
    count(*) FILTER (WHERE sender_type = 'guest') AS guest_messages,
    count(*) FILTER (WHERE sender_type = 'agent') AS agent_messages,
    count(*) FILTER (WHERE sender_type = 'bot') AS bot_messages,
    min(coalesce(created_at, received_at)) FILTER (WHERE sender_type = 'agent') AS first_response_at,
    max(coalesce(created_at, received_at)) FILTER (WHERE ticket_status NOT LIKE 'closed%') AS last_open_at
  FROM {table} WHERE ticket_id IS NOT NULL GROUP BY ticket_id
)
SELECT ticket.ticket_id, status, opened_at, last_event_at, guest_messages, agent_messages, bot_messages,
  first_response_at, extract(epoch FROM first_response_at - opened_at)::float8 AS first_response_seconds,
  closed_at, extract(epoch FROM closed_at - opened_at)::float8 AS resolution_seconds
FROM ticket LEFT JOIN LATERAL (
  SELECT min(coalesce(created_at, received_at)) AS closed_at FROM {table} AS event
  WHERE event.ticket_id = ticket.ticket_id AND ticket.status LIKE 'closed%' AND event.ticket_status LIKE 'closed%'
    AND (last_open_at IS NULL OR coalesce(created_at, received_at) >= last_open_at)
) AS closing ON true"""
_HOURLY: Final = """CREATE OR REPLACE VIEW {view} AS
SELECT date_trunc('hour', coalesce(created_at, received_at)) AS hour, sender_type,
  count(*) AS messages, count(DISTINCT ticket_id) AS tickets
FROM {table} WHERE event_type = '{message}' GROUP BY 1, 2"""
