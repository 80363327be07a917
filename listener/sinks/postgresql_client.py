"""Wraps the connections of the postgresql sink: asyncpg, its errors translated here and nowhere else.

asyncpg rather than psycopg: wheels that need no libpq, the Apache licence rather than the LGPL, a third of the memory.
"""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import asyncpg
from asyncpg.exceptions import InternalClientError

from listener.sinks.network import NetworkConfig, clean, tls
from listener.sinks.postgresql_dsn import Dsn
from listener.sinks.postgresql_schema import LOOK_AT_COLUMNS, LOOK_AT_KEYS, LOOK_AT_VIEW, FoundTable, Table

T = TypeVar("T")
CONNECT = 10.0  # seconds for each server of the DSN
LOCK_WAIT = "5s"  # for a change of the table: whoever waits for its lock keeps all others out
LOCK = "SELECT pg_advisory_xact_lock(hashtext('helpdesk-listen'))"

Kind = Literal["endpoint", "settings", "table", "event", "data", "privilege"]
_STATES: dict[str, Kind] = {
    "28": "settings",  # who we are
    "3D": "settings",  # no such database
    "3F": "table",  # no such schema
    "42": "table",  # no such table or column, or another type
    "42501": "privilege",
    "22": "data",
    "23": "data",
    "54": "data",  # too large for an index, for a row
    "40": "event",
    "55": "event",
    "57014": "event",  # the time for a statement is over
    "P0": "event",  # a trigger's own words
}


@dataclass(frozen=True)
class CallFailure:
    """A call's failure, and what it is about: the server, our settings, the table, our rights, the rows."""

    kind: Kind
    reason: str


class PostgresqlClient:
    """Keeps a connection for each call under way, and no more; one on which a call failed is not used again."""

    def __init__(self, config: NetworkConfig, dsn: Dsn) -> None:
        self._config, self._dsn = config, dsn
        self._idle: list[Any] = []

    async def insert(self, statement: str, columns: list[list[Any]]) -> CallFailure | None:
        """Inserts rows, all of them or none; returns why it failed, None if it did not."""
        result = await self._call(lambda connection: connection.execute(statement, *columns))
        return result if isinstance(result, CallFailure) else None

    async def look(self, table: Table) -> FoundTable | CallFailure:
        """Returns what the catalogue says of the table."""
        return await self._call(lambda connection: _look(connection, table))

    async def migrate(self, table: Table) -> CallFailure | None:
        """Makes or changes the table and its views, one daemon at a time, without a time limit."""
        return await self._call(lambda connection: _migrate(connection, table), patient=True)

    async def close(self) -> None:
        """Ends the connections that are not in use."""
        for connection in self._idle:
            connection.terminate()
        self._idle.clear()

    async def _call(self, work: Callable[[Any], Awaitable[T]], *, patient: bool = False) -> T | CallFailure:
        connection = None
        try:
            connection = await self._connection()
            async with asyncio.timeout(None if patient else self._config.timeout):
                result = await work(connection)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, InternalClientError, OSError) as e:
            self._drop(connection, e)
            return self._failure(e)
        except BaseException:  # cancelled: nobody knows what the server still says on it
            self._drop(connection)
            raise
        self._idle.append(connection)
        return result

    async def _connection(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await asyncpg.connect(
            self._dsn.url.reveal(),
            ssl=_tls(self._config, self._dsn),
            timeout=min(CONNECT, self._config.timeout),
            statement_cache_size=0,  # poolers between us and the server hand prepared statements to others
            server_settings={
                "application_name": f"helpdesk-listen {self._config.name}",
                "statement_timeout": str(int(self._config.timeout * 1000)),
            },
            target_session_attrs=self._dsn.target,
        )

    def _drop(self, connection: Any, error: BaseException | None = None) -> None:
        """Puts a connection back where the server has only refused what was asked; ends any other."""
        if connection is None:
            return
        state = getattr(error, "sqlstate", None) or ""
        if isinstance(error, asyncpg.PostgresError) and state[:2] in ("22", "23", "42", "54", "40", "55", "P0"):
            self._idle.append(connection)
        else:
            connection.terminate()

    def _failure(self, error: Exception) -> CallFailure:
        state = getattr(error, "sqlstate", None) or ""
        kind = _STATES.get(state) or _STATES.get(state[:2], "endpoint")
        if isinstance(error, TimeoutError):
            kind, said = "event", f"no answer within {self._config.timeout:g} s"
        elif isinstance(error, ssl.SSLError):
            kind, said = "settings", f"TLS: {error.reason or error}; a CA of your own goes into ca_file"
        elif isinstance(error, asyncpg.PostgresError):
            said = f"{str(error).splitlines()[0]} ({state})" if state else str(error)
        else:
            number = error.errno if isinstance(error, OSError) else None  # asyncio's own text is "Connect call failed"
            said = os.strerror(number) if number and number > 0 else str(error) or type(error).__name__
        return CallFailure(kind, f"{self._dsn.where}: {clean(said)}")


async def _look(connection: Any, table: Table) -> FoundTable:
    columns = await connection.fetch(LOOK_AT_COLUMNS, table.name)
    keys = await connection.fetch(LOOK_AT_KEYS, table.name)
    return FoundTable(
        {row["name"]: row["type"] for row in columns},
        frozenset(row["name"] for row in columns if row["needed"]),
        [(row["name"], frozenset(row["columns"]), row["whole"]) for row in keys],
        await connection.fetchval(LOOK_AT_VIEW, table.tickets),
    )


async def _migrate(connection: Any, table: Table) -> None:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'; SET LOCAL statement_timeout = 0")
        await connection.execute(LOCK)
        found = await _look(connection, table)  # another daemon may have done it meanwhile
        if not table.is_current(found):
            for statement in table.migration(found):
                await connection.execute(statement)


def _tls(config: NetworkConfig, dsn: Dsn) -> ssl.SSLContext | str | bool:
    """Returns what asyncpg takes for `ssl`, as `sslmode` wants it. Raises OSError where a certificate can't be read."""
    if dsn.mode in ("disable", "allow", "prefer"):
        return dsn.mode if dsn.mode != "disable" else False
    context = tls(config)
    if dsn.authorities:
        context.load_verify_locations(dsn.authorities)
    if dsn.cert:
        context.load_cert_chain(dsn.cert, dsn.key or None)
    context.check_hostname = dsn.mode == "verify-full"
    if dsn.mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context
