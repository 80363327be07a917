"""Those that are measured, each in a process of its own against a stand-in of its own."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from listener.simulator import FloodResult, Platform
from listener.simulator.flood import PayloadFactory
from tests.bench.machine import Process
from tests.bench.payloads import fresh_payload
from tests.daemon import environment

CONNECT = 30.0  # seconds until a client must be connected
FLOOD = 60.0  # seconds for one flood
LOOK = 0.001  # seconds between looks at files and processes
ACK_TIMEOUT = 30.0  # seconds; the platform's 3 are too few for the sample with 1,024 unacked
SINK = '[[sinks]]\nname = "{0}"\ntype = "file"\npath = "{0}.jsonl"\n'
SAMPLE = Path(__file__).with_name("sample.py")
NODE_CLIENT = Path(__file__).with_name("node_client.cjs")
node_sdk: Path | None = None  # the folder in which the Node SDK was installed; None: it is left out
go_client: Path | None = None  # the program that was built of go_client.go; None: it is left out


@dataclass(frozen=True)
class Flood:
    """How a flood went: `seconds` until everything was acked and in every file; `cpu` in seconds."""

    result: FloodResult
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Events a second, from the first push to the last ack and the last line."""
        return self.result.count / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of a core for one event."""
        return self.cpu / self.result.count * 1e6


@dataclass
class Client:
    """A running client that is connected to its stand-in."""

    name: str
    platform: Platform
    process: Process
    connected: float  # seconds from exec to the open connection
    files: Sequence[Path] = ()  # where the listener's sinks write
    seq: int = 0  # the journal's newest

    async def flood(self, count: int, unacked: int, factory: PayloadFactory | None = None) -> Flood:
        """Pushes `count` events; over when each is acked and in the files, if there are any. None may be refused."""
        factory = factory or [fresh_payload() for _ in range(count)].__getitem__
        before, started = self.process.cpu, time.monotonic()
        self.seq += count
        try:
            async with asyncio.timeout(FLOOD):
                result = await self.platform.flood(count, unacked, factory)
                await self._written()
        except TimeoutError:
            raise AssertionError(f"{self.name} did not finish in time\n{self.process.last_words()}") from None
        assert not result.bounced, f"{self.name} refused {result.bounced} events\n{self.process.last_words()}"
        return Flood(result, time.monotonic() - started, self.process.cpu - before)

    async def _written(self) -> None:
        while any(last_seq(path) != self.seq for path in self.files):  # noqa: ASYNC110 a file sets no event
            await asyncio.sleep(LOOK)


def last_seq(path: Path) -> int:
    """`seq` of the last whole record in a file; 0 where there is none."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - 16 * 1024))
        whole = file.read().rpartition(b"\n")[0]
    return int(msgspec.json.decode(whole.rpartition(b"\n")[2])["seq"]) if whole else 0


@asynccontextmanager
async def running(
    name: str, command: Sequence[str], home: Path, files: Sequence[Path] = (), seq: int = 0, **env: str
) -> AsyncIterator[Client]:
    """Started and connected; `{url}` in the command is the stand-in's."""
    for directory in ("state", "logs"):
        (home / directory).mkdir(parents=True, exist_ok=True)
    async with Platform(ack_timeout=ACK_TIMEOUT) as platform:
        arguments = [part.replace("{url}", platform.url) for part in command]
        started = time.monotonic()
        with Process(arguments, home, environment(home, platform.url, PYTHONWARNINGS="ignore", **env)) as process:
            await _connected(platform, process, name)
            yield Client(name, platform, process, time.monotonic() - started, files, seq)


async def _connected(platform: Platform, process: Process, name: str) -> None:
    connecting = asyncio.create_task(platform.connected(within=CONNECT))
    while not connecting.done():
        await asyncio.wait({connecting}, timeout=0.1)
        if process.ended:
            connecting.cancel()
    if connecting.cancelled() or connecting.exception():
        raise AssertionError(f"{name} did not connect\n{process.last_words()}")


Running = AbstractAsyncContextManager[Client]


def listener(home: Path, *, sinks: int = 1, seq: int = 0, module: str = "listener") -> Running:
    """`helpdesk-listen start` with durable file sinks; `seq`: of the newest event in the journal of home/state."""
    names = [f"sink-{number}" for number in range(1, sinks + 1)]
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.toml"
    config.touch(0o600)
    config.write_text('[journal]\nmax_size = "16GiB"\n' + "".join(SINK.format(name) for name in names))
    files = [home / "logs" / f"{name}.jsonl" for name in names]
    return running("listener", [sys.executable, "-m", module, "start", "-c", str(config)], home, files, seq)


def sample(home: Path) -> Running:
    """The official SDK's sample; its output goes to a file."""
    return running("sample", [sys.executable, str(SAMPLE), "{url}"], home)


def quiet(home: Path) -> Running:
    """The same sample with a log of errors only, which its document has not."""
    return running("quiet", [sys.executable, str(SAMPLE), "{url}", "ERROR"], home)


def node(home: Path) -> Running:
    """The official SDK for Node; its output goes to a file."""
    assert node_sdk
    return running("node", ["node", str(NODE_CLIENT), "{url}"], home, NODE_PATH=str(node_sdk / "node_modules"))


def go(home: Path) -> Running:
    """The official SDK for Go; its output goes to a file."""
    assert go_client
    return running("go", [str(go_client), "{url}"], home)


def null(home: Path) -> Running:
    """Decodes and acks, keeps nothing: what the stand-in can be asked for at most."""
    return running("null", [sys.executable, "-m", "tests.simulator.null_client", "{url}"], home)
