"""Inserts events as rows of a PostgreSQL table, exactly once by the key `event_id`.

A batch is one INSERT that passes over ids which are there, so an attempt whose outcome nobody heard may be made again.
postgresql_schema.py has the table and its views, postgresql_rows.py the values, postgresql_client.py the connections.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from listener.base.errors import Unavailable
from listener.base.logs import get_logger
from listener.settings.rules import Count, Text
from listener.settings.secrets import SecretSource
from listener.sinks.network import Batch, BatchLimits, ClientSink, NetworkConfig
from listener.sinks.postgresql_dsn import read_dsn
from listener.sinks.postgresql_rows import Rows, columns_of
from listener.sinks.postgresql_schema import FoundTable, Problem, Table
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

if TYPE_CHECKING:
    from listener.sinks.postgresql_client import CallFailure, PostgresqlClient

log = get_logger(__name__)


class PostgresqlConfig(NetworkConfig, frozen=True, kw_only=True):
    """The settings. With `create` the sink makes and migrates table, indexes and views; else it tells missing SQL."""

    type: Literal["postgresql"] = "postgresql"
    dsn: SecretSource
    table: Annotated[
        str,
        Text(r"([a-z_][a-z0-9_]{0,44}\.)?[a-z_][a-z0-9_]{0,44}", 'a table in lower case, such as "helpdesk_events"'),
    ] = "helpdesk_events"
    create: bool = True
    allow_plaintext: bool = False
    batch: BatchLimits = BatchLimits(max_events=500)
    in_flight: Annotated[int, Count(1, 1024)] = 3  # two at the server while the outcome of a third is kept here

    def __post_init__(self) -> None:
        if self.proxy:
            raise ValueError("proxy is for HTTP: a database is reached without one")


class PostgresqlSink(ClientSink["PostgresqlClient"]):
    def __init__(self, config: PostgresqlConfig) -> None:
        super().__init__()
        self._config, self._table, self._rows = config, Table(config.table), Rows(config)
        self._is_ready = False  # whether the table was looked at and is right
        self._readying: asyncio.Task[TryAgain | None] | None = None

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        await self._connected()
        not_ready = await self._ready()
        result = not_ready or await self._insert(batch)
        self._doubt([result])
        self._is_ready &= self._fresh
        return [result] * len(batch)

    async def close(self) -> None:
        """Ends a migration that is under way, and the connections."""
        if self._readying:
            self._readying.cancel()
        await super().close()

    async def probe(self) -> str:
        """Looks at the table, inserts no row, and returns what it found. Raises Unavailable with what is wrong."""
        await self._connected()
        found = await self._working.look(self._table)
        if not isinstance(found, FoundTable):
            raise Unavailable(f"sink {self._config.name}: {found.reason}", hint=_hint(found))
        problems = self._table.problems(found)
        if any(not self._config.create or not one.is_ours for one in problems):
            sql = ";\n".join(one.sql for one in problems)
            raise Unavailable(f"sink {self._config.name}: {self._told(problems)}", hint=f"as its owner:\n{sql};")
        if problems:
            return f"can be reached; the table {self._config.table} will be made or changed"
        if failure := await self._working.insert(self._table.insert, columns_of([])):
            raise Unavailable(f"sink {self._config.name}: {failure.reason}", hint=_hint(failure))
        return f"the table {self._config.table} takes events; none was inserted"

    @property
    def _working(self) -> "PostgresqlClient":
        assert self._client is not None, "opened first"  # noqa: S101 the worker's promise
        return self._client

    def _new_client(self) -> "PostgresqlClient":
        from listener.sinks.postgresql_client import PostgresqlClient

        config = self._config
        return PostgresqlClient(config, read_dsn(config.dsn.read(), allow_plaintext=config.allow_plaintext))

    async def _ready(self) -> TryAgain | None:
        """Returns why the table can't take events yet, None if it can. A migration that outlasts an attempt goes on."""
        if self._is_ready:
            return None
        self._readying = self._readying or asyncio.create_task(self._make_ready())
        task = self._readying
        if not (await asyncio.wait([task], timeout=self._config.timeout))[0]:
            return TryAgain(f"table {self._config.table}: it is still being migrated", None, "endpoint")
        self._readying = None
        return task.result()

    async def _make_ready(self) -> TryAgain | None:
        found = await self._working.look(self._table)
        if isinstance(found, FoundTable) and self._config.create and not self._table.is_current(found):
            failure = await self._working.migrate(self._table)
            if failure and (self._table.problems(found) or failure.kind != "privilege"):
                return _try_again(failure)
            if failure:
                log.warning("the views could not be made", sink=self._config.name, because=failure.reason)
            found = await self._working.look(self._table)
        if not isinstance(found, FoundTable):
            return _try_again(found)
        if problems := self._table.problems(found):
            told = f"{self._told(problems)} (`helpdesk-listen check --online` prints the SQL)"
            return TryAgain(told, None, "endpoint", paused=True)
        self._is_ready = True
        return None

    def _told(self, problems: Sequence[Problem]) -> str:
        return f"table {self._config.table}: {'; '.join(one.what for one in problems)}"

    async def _insert(self, batch: Batch) -> Result:
        rows = []
        for one in batch:
            row, replaced = self._rows.row(one.event, one.data)
            rows.append(row)
            if replaced and one.attempt == 1:
                log.warning(
                    "PostgreSQL can't hold NUL characters: they were replaced with U+FFFD",
                    sink=self._config.name,
                    event_id=one.event.event_id,
                )
        failure = await self._working.insert(self._table.insert, columns_of(rows))
        if failure is None:
            return Delivered()
        if failure.kind == "data":
            return await self._of_the_rows(failure)
        return _try_again(failure)

    async def _of_the_rows(self, failure: "CallFailure") -> Result:
        """Rejects the rows, unless the table has changed: then every event would become a dead letter."""
        self._is_ready = False
        return await self._ready() or Rejected(failure.reason)


def _try_again(failure: "CallFailure") -> TryAgain:
    if failure.kind == "event":
        return TryAgain(failure.reason)
    return TryAgain(failure.reason, None, "endpoint", paused=failure.kind != "endpoint")


def _hint(failure: "CallFailure") -> str:
    return {
        "settings": "correct dsn, or what the server knows of this user",
        "privilege": "as the table's owner: GRANT INSERT ON the table TO this user (and USAGE on its schema)",
    }.get(failure.kind, "")
