"""Defines the tables, and brings an older journal to today's schema."""

import sqlite3
from collections.abc import Sequence

from listener.journal.api_tables import API_SCRIPT, API_TABLES
from listener.journal.identity import fingerprint

APPLICATION_ID = 0x48444C31  # "HDL1"
_FIRST = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL UNIQUE,
  event_type TEXT NOT NULL,
  received_ms INTEGER NOT NULL,
  payload BLOB
);
CREATE TABLE cursors (
  sink TEXT PRIMARY KEY, seq INTEGER NOT NULL, position TEXT NOT NULL, updated_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sink TEXT NOT NULL, seq INTEGER NOT NULL, reason TEXT NOT NULL, attempts INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  order_id INTEGER,
  UNIQUE (sink, seq)
);
CREATE INDEX dead_letters_by_seq ON dead_letters (seq);
CREATE TABLE aside (
  id INTEGER PRIMARY KEY AUTOINCREMENT, received_ms INTEGER NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sink TEXT NOT NULL, kind TEXT NOT NULL, since_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
  done_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, started INTEGER NOT NULL DEFAULT 0
);
"""
_BODIES_APART = """
CREATE TABLE bodies (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL);
INSERT INTO bodies SELECT seq, payload FROM events WHERE payload IS NOT NULL;
CREATE TABLE ids (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL UNIQUE,
  event_type TEXT NOT NULL,
  received_ms INTEGER NOT NULL
);
INSERT INTO ids SELECT seq, event_id, event_type, received_ms FROM events;
UPDATE sqlite_sequence SET seq = max(seq, ifnull((SELECT seq FROM sqlite_sequence WHERE name='events'), 0))
  WHERE name='ids';
INSERT INTO sqlite_sequence (name, seq) SELECT 'ids', seq FROM sqlite_sequence
  WHERE name='events' AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name='ids');
DROP TABLE events;
ALTER TABLE ids RENAME TO events;
CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO totals VALUES
  ('bodies', (SELECT ifnull(sum(length(payload) + 64), 0) FROM bodies)),
  ('aside_left', 0);
CREATE VIEW kept AS
  SELECT e.seq, e.event_id, e.event_type, e.received_ms, b.payload FROM bodies b CROSS JOIN events e ON e.seq = b.seq;
"""
_WAITING = """
CREATE TABLE waiting (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sink TEXT NOT NULL, seq INTEGER NOT NULL, ticket TEXT NOT NULL, attempts INTEGER NOT NULL,
  first_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL, reason TEXT NOT NULL, replayed INTEGER NOT NULL,
  UNIQUE (sink, seq)
);
CREATE INDEX waiting_by_seq ON waiting (seq);
"""
_IDS_COMPACT = """
CREATE TABLE ids (fingerprint BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO ids SELECT fingerprint(event_id), received_ms / 86400000 FROM events;
CREATE TABLE with_bodies (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  received_ms INTEGER NOT NULL
);
INSERT INTO with_bodies SELECT * FROM events WHERE seq IN (SELECT seq FROM bodies);
DELETE FROM sqlite_sequence WHERE name='with_bodies';
INSERT INTO sqlite_sequence (name, seq) SELECT 'with_bodies', seq FROM sqlite_sequence WHERE name='events';
DROP VIEW kept;
DROP TABLE events;
ALTER TABLE with_bodies RENAME TO events;
CREATE VIEW kept AS
  SELECT e.seq, e.event_id, e.event_type, e.received_ms, b.payload FROM bodies b CROSS JOIN events e ON e.seq = b.seq;
INSERT INTO totals VALUES
  ('ids', (SELECT count(*) FROM ids)),
  ('ids_checked_ms', 0),
  ('ids_held_until_ms', 0),
  ('erased', 0),
  ('aside', (SELECT ifnull(sum(length(payload) + 64), 0) FROM aside));
CREATE TRIGGER aside_came AFTER INSERT ON aside BEGIN
  UPDATE totals SET value = value + length(new.payload) + 64 WHERE name='aside';
END;
CREATE TRIGGER aside_left AFTER DELETE ON aside BEGIN
  UPDATE totals SET value = value - length(old.payload) - 64 WHERE name='aside';
END;
"""
MIGRATIONS: tuple[str, ...] = (_FIRST, _BODIES_APART, _WAITING, _IDS_COMPACT, API_SCRIPT)
"""Scripts that each lead from the schema version of their index to the next. Published ones never change."""

TABLES = ("events", "bodies", "ids", "cursors", "dead_letters", "aside", "orders", "totals", "waiting", *API_TABLES)


def newest() -> int:
    """Returns the schema version that this program writes; `user_version` holds a file's."""
    return len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, scripts: Sequence[str] = MIGRATIONS) -> None:
    """Brings a file of any older version, even an empty one, to the newest; each version is one transaction."""
    connection.create_function("fingerprint", 1, fingerprint, deterministic=True)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, script in enumerate(scripts[version:], version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {script}"
                f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number}; COMMIT;"
            )
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
