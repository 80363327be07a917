"""The journal: what the platform was told 200 for, on disk, until every sink has it.

Invariants
  1. An event is acked 200 only after the transaction that holds it is synced (`synchronous=FULL`).
  2. An event's id is known for at least 24 h more than `keep` (and than 24 h): the same event is kept once.
  3. `seq` grows by one per kept event and is never used again; it is the order of delivery.
  4. A sink's cursor says: everything up to this seq is delivered or a dead letter. It is written after the sink's own
     sync, and may lag behind it by a second or two; what it says is never ahead of the truth.
  5. Nothing undelivered is removed, however old or full the journal is; a full one refuses what is new. A dead letter
     keeps its event until somebody retries or discards it. What can't be read is quarantined in a share of its own,
     from which the oldest are removed.
  6. What is known in memory (the newest seq, the bytes that bodies take, how far retention is) moves after COMMIT only.

Layout (one SQLite database in WAL mode, application_id "HDL1", the schema's version in user_version; tables.py)
  ids           a fingerprint of each event id: what knows a duplicate long after the event is gone (identity.py)
  events        seq, event_id, event_type, received_ms: small rows to search by time or id; they leave with their bodies
  bodies        seq, payload (exact bytes). The view `kept` joins the two
  totals        the bytes of all bodies, which max_size bounds, the number of ids, and what else is too slow to add up
  cursors       one row a sink: seq, and where the sink stands in its own terms (a file's inode and offset)
  dead_letters  what a sink rejected or gave up: sink, seq, reason, attempts, time
  waiting       what waits for one sink beside its cursor: its next attempt, and its ticket's later events (waiting.py)
  aside         payloads that can't be read, with the reason
  message_ids   which ticket messages came, where some were fetched: a push and a backfill know each other (messages.py)
  backfills     what is fetched by the API, the calls that were made, tickets as they were then (api_tables.py)
  orders        replays and retries that a command asked for; the sink's worker carries them out (redelivery.py)
Beside PATH: PATH-wal and PATH-shm (SQLite's), PATH.lock (who uses it), PATH.damaged-TIME (what a recovery moved aside).
All of them are their owner's only.

Threads
  One writer (writer.py) owns all writing and commits what has queued up meanwhile together: a sync a batch, not a sync
  an event (appending.py puts the events in, and says what was done). Cursors ride in the next commit. Each reader has a
  connection of its own and holds no transaction between calls. What was just committed is handed on from memory
  (recent.py); who lags reads the database. Checkpoints (checkpoint.py) and the full check (integrity.py) run beside the
  commits, pruning (retention.py) between them. Other processes read (reading.py), and ask for a redelivery or remove a
  dead letter in a short transaction of their own.

Recovery
  A crash leaves either a commit whole or nothing of it: SQLite's WAL sees to that. Sinks then find their way from the
  cursor (sinks/file.py). The start looks at the header and the newest rows (opening.py). What is damaged, seen then or
  by the full check, is read for what can be read and moved aside (recovery.py). What is not ours is left alone.
"""

from listener.journal.journal import Journal
from listener.journal.model import Cursor, Pending, Redelivery

__all__ = ["Cursor", "Journal", "Pending", "Redelivery"]
