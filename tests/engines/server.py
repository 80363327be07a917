"""Real servers on loopback for tests, each in a temporary folder; a test is skipped where one can't be had."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import nats
import pytest
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError

from listener.sinks.network import NetworkConfig
from tests.engines.configs import config_of, held
from tests.small_disk import SmallDisk


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str, *folders: Path) -> str:
    """Its path, in these folders or on PATH. Skips the test where there is none."""
    found = next((str(folder / name) for folder in folders if (folder / name).is_file()), None) or shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed here")
    return found


class Server:
    """A server process in `home`; `kill` is kill -9, and `start` after it starts it again on the same port and data."""

    name = "server"

    def __init__(self, **settings: str) -> None:
        self.settings = settings
        self.port = free_port()
        self.home = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        self._owner: str | None = None

    def prepare(self) -> None:
        """Makes what is there before the first start."""

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self) -> None:
        with (self.home / "log").open("ab") as said:
            self._process = subprocess.Popen(
                self.command(), stdout=said, stderr=said, cwd=self.home, user=self._owner, start_new_session=True
            )
        self.until(self.answers, "it answers")

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, number)
            self._process.wait(30)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its processes stand still, with their connections open."""
        pids = self._pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def _pids(self) -> list[int]:
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [self._process.pid, *map(int, children)]

    def pin(self, core: int) -> None:
        """Keeps the server and all of its processes, also those to come, on one core."""
        assert self._process
        subprocess.run(
            ["taskset", "-a", "-p", "-c", str(core), str(self._process.pid)], check=True, capture_output=True
        )

    def cpu_seconds(self) -> float:
        """Returns the processor time that its processes have used until now, ended ones included."""
        each = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15] for pid in self._pids()]
        return sum(int(ticks) for times in each for ticks in times) / os.sysconf("SC_CLK_TCK")

    def until(self, holds: Callable[[], object], what: str, within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while not holds():
            assert self._process is None or self._process.poll() is None, (self.home / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"{self.name}: after {within:g} s still not: {what}"
            time.sleep(0.02)

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)


class Postgres(Server):
    """User `listener`, password `a-secret-word`, by scram; `settings` are those of postgresql.conf."""

    name = "postgresql"
    password = "a-secret-word"
    _files: tuple[Path, ...] = ()

    def prepare(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        initdb, self._program = program("initdb", *found), program("postgres", *found)
        if os.geteuid() == 0:
            self._owner = "postgres" if "postgres" in {one.pw_name for one in pwd.getpwall()} else "nobody"
            shutil.chown(self.home, self._owner)
        (self.home / "password").write_text(self.password)
        (self.home / "password").chmod(0o644)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [initdb, "-D", self.home / "data", "-U", "listener", f"--pwfile={self.home / 'password'}", *options],
            check=True,
            capture_output=True,
            user=self._owner,
            cwd=self.home,
        )
        for file in self._files:
            shutil.copy(file, self.home / "data")
            (self.home / "data" / file.name).chmod(0o600)
            if self._owner:
                shutil.chown(self.home / "data" / file.name, self._owner)

    def holding(self, *files: Path) -> Self:
        """With these files in its data folder from the first start on."""
        self._files = files
        return self

    def command(self) -> Sequence[str]:
        given = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""} | self.settings
        return [self._program, "-D", str(self.home / "data"), *(f"--{key}={value}" for key, value in given.items())]

    def answers(self) -> bool:
        return super().answers() and self._says("SELECT 1")

    def url(self, database: str = "postgres", user: str = "listener", password: str = "", options: str = "") -> str:
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}{options}"

    def sql(self, query: str, database: str = "postgres") -> list[list[str]]:
        """The rows of the answer, as psql writes them."""
        done = self._psql(query, database)
        assert done.returncode == 0, done.stderr
        return [line.split("|") for line in done.stdout.splitlines()]

    def new_database(self, name: str) -> "Database":
        self.sql(f"CREATE DATABASE {name}")
        return Database(self, name)

    def folder_for(self, disk: SmallDisk) -> Path:
        """A folder on this disk that the server may write into."""
        folder = disk.path / "of-postgresql"
        folder.mkdir()
        if self._owner:
            shutil.chown(folder, self._owner)
        return folder

    def _says(self, query: str) -> bool:
        return self._psql(query, "postgres").returncode == 0

    def _psql(self, query: str, database: str) -> subprocess.CompletedProcess[str]:
        command = [program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", self.url(database), "-c", query]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


class Nats(Server):
    """A JetStream server; `settings` are lines of its configuration."""

    name = "nats-server"
    folder = Path(sys.executable).parent  # of the program, before PATH; Debian's own is older

    def command(self) -> Sequence[str]:
        given = {"store_dir": f'"{self.home}/data"'} | self.settings
        jetstream = {key: given.pop(key) for key in ("sync_interval", "store_dir", "max_file_store") if key in given}
        lines = [f"{key}: {value}" for key, value in ({"host": '"127.0.0.1"', "port": str(self.port)} | given).items()]
        inner = ", ".join(f"{key}: {value}" for key, value in jetstream.items())
        (self.home / "nats.conf").write_text("\n".join([*lines, f"jetstream {{ {inner} }}"]))
        return [program("nats-server", self.folder), "-c", str(self.home / "nats.conf")]

    def url(self, scheme: str = "nats", user: str = "") -> str:
        return f"{scheme}://{user}127.0.0.1:{self.port}"

    def answers(self) -> bool:
        return b"INFO" in self._greeting()

    def call(self, work: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
        """What comes of `work` with a JetStream context of a connection of its own."""

        async def run() -> Any:
            connection = await nats.connect(self.url(), allow_reconnect=False, **options)
            try:
                return await work(connection.jetstream(timeout=20))
            finally:
                await connection.close()

        return asyncio.run(run())

    def found(self, stream: str = "HELPDESK") -> list[str]:
        """The ids of the stream's messages, in their order."""

        async def read(context: Any) -> list[str]:
            try:
                state = (await context.stream_info(stream)).state
            except NotFoundError:
                return []
            consumer = await context.subscribe(
                "",
                stream=stream,
                ordered_consumer=True,
                config=ConsumerConfig(headers_only=True),
                pending_msgs_limit=10**7,
            )
            messages = [await consumer.next_msg(timeout=20) for _ in range(state.messages)]
            return [message.headers["Nats-Msg-Id"] for message in messages]

        found: list[str] = self.call(read)
        return found

    def _greeting(self) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(64)
        except OSError:
            return b""


def add_stream(server: Nats, name: str, **settings: Any) -> None:
    """Makes a stream that takes no atomic batches and knows ids for as long as the sink wants."""
    given = {"name": name, "subjects": [f"{name}.*"], "duplicate_window": 8 * 3600} | settings
    server.call(lambda context: context.add_stream(**given))


@dataclass(frozen=True)
class Database:
    """A database of a server."""

    server: Postgres
    name: str

    def sql(self, query: str) -> list[list[str]]:
        return self.server.sql(query, self.name)

    def columns(self, names: str) -> list[list[str]]:
        """Of all events, by seq."""
        return self.sql(f"SELECT {names} FROM helpdesk_events ORDER BY seq")  # noqa: S608 our own words

    def counts(self) -> tuple[int, int]:
        """(rows, distinct event ids)."""
        ((rows, ids),) = self.sql("SELECT count(*), count(DISTINCT event_id) FROM helpdesk_events")
        return int(rows), int(ids)

    def config(self, **settings: Any) -> NetworkConfig:
        """A sink's into this database, unless another `dsn` is given."""
        return config_of("postgresql", **({"dsn": held(self.server.url(self.name))} | settings))
