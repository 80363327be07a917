"""The other end of each sink as the crash and the benchmark use it: a server, the sink's settings, what has arrived."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol, Self

from listener.sinks.network import NetworkConfig
from tests.engines.server import Database, Postgres, Server

COMMON = '[[sinks]]\nname = "end"\ntype = "{kind}"\nstart = "earliest"\nretry.max_delay = "1s"\n'


class End(Protocol):
    """Entered with its server running."""

    @property
    def server(self) -> Server: ...

    @property
    def config(self) -> str:
        """The text of a config.toml."""
        ...

    def sink(self, **settings: Any) -> NetworkConfig:
        """The same sink for a worker in this process."""
        ...

    def found(self) -> list[str]:
        """The ids that have arrived, repeated where an event has."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class PostgresEnd:
    """With the server's own settings for durability, and room for a busy machine."""

    def __init__(self) -> None:
        self.server = Postgres()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(self.server)
        self.database: Database = self.server.new_database("d")
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @property
    def config(self) -> str:
        return COMMON.format(kind="postgresql") + f'dsn = "{self.server.url("d")}"\n'

    def sink(self, **settings: Any) -> NetworkConfig:
        return self.database.config(**settings)

    def found(self) -> list[str]:
        if self.database.sql("SELECT to_regclass('helpdesk_events') IS NULL") == [["t"]]:
            return []
        return [row[0] for row in self.database.columns("event_id")]


ENDS: dict[str, Callable[[], End]] = {"postgresql": PostgresEnd}
