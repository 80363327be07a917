"""Defines the tables for what the platform's API gives beside the events: a step of the schema, and their names.

api_calls    calls by month and API
marks        single values: until when calls are halted, when a connection was last open, how far an index is
message_ids  ticket_message_ids that are in the journal, by which a push and a backfill know each other
backfills    backfill jobs with their progress; backfill_tickets holds a job's tickets
gaps         times without a connection
details      tickets as the API had them; enriched says which event goes out with which, so that a line can be made
             again
"""

API_TABLES = (
    "api_calls",
    "marks",
    "message_ids",
    "backfills",
    "backfill_tickets",
    "gaps",
    "details",
    "enriched",
)
API_SCRIPT = """
CREATE TABLE api_calls (
  month TEXT NOT NULL, api TEXT NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (month, api)
) WITHOUT ROWID;
CREATE TABLE marks (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE message_ids (id PRIMARY KEY, day INTEGER NOT NULL, backfilled INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE backfills (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  helpdesk_id TEXT NOT NULL, token_file TEXT NOT NULL, since_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
  asked_ms INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'listing',
  tickets INTEGER NOT NULL DEFAULT 0, tickets_done INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0, fresh INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0,
  note TEXT NOT NULL DEFAULT '', ended_ms INTEGER
);
CREATE TABLE backfill_tickets (
  job INTEGER NOT NULL, ticket_id TEXT NOT NULL, ticket BLOB NOT NULL, PRIMARY KEY (job, ticket_id)
) WITHOUT ROWID;
CREATE TABLE gaps (id INTEGER PRIMARY KEY AUTOINCREMENT, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL);
CREATE TABLE details (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE enriched (seq INTEGER PRIMARY KEY, detail INTEGER, more BLOB NOT NULL);
"""
