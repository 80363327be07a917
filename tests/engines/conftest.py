"""One server of each kind for all tests that do not break it; each test has a database of its own in it."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.engines.redis_server import RedisServer
from tests.engines.server import Database, Nats, Postgres

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres(fsync="off") as server:
        yield server


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    with Nats() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Database:
    """A new one."""
    return postgres.new_database(f"test{next(_numbers)}")
