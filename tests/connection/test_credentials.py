"""Refused credentials: at the start the daemon says so and ends; later it keeps trying until the secret is mended."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from listener.base.errors import CredentialsRefused, RestartNeeded
from listener.simulator import PlatformThread, faults
from listener.sources.long_connection import Backoff
from tests.connection.listening import PROMPT, QUICKLY, event, listening, platform
from tests.daemon import Daemon

WRONG = {"cli_a5ca1ab1e0ddba11": "another-secret"}
HEALED = 15.0  # s
SLOW_PACE = """
[feishu]
app_secret_file = "secret"
slow_retry.min_delay = "100ms"
slow_retry.max_delay = "1s"
"""
REFUSED = {
    "no credential": ("endpoint", faults.NO_CREDENTIAL),
    "secret refused": ("endpoint", faults.REFUSED_CREDENTIAL),
    "handshake forbidden": ("handshake", faults.refused(403, "forbidden")),
}


def test_refused_at_the_start_exits_78_within_5_s(tmp_path: Path) -> None:
    with PlatformThread(credentials=WRONG) as stand_in, Daemon(tmp_path, domain=stand_in.url) as daemon:
        assert 78 == daemon.wait(5)
        assert daemon.said("1000040345")
        assert daemon.said("app secret")
        assert not daemon.said("demo-secret")


@pytest.mark.parametrize("how", REFUSED)
def test_refused_at_the_start_is_raised(how: str) -> None:
    async def main() -> None:
        async with platform() as stand_in:
            where, answer = REFUSED[how]
            getattr(stand_in.faults, where).append(answer)
            async with listening(stand_in.url) as listener:
                with pytest.raises(CredentialsRefused) as refused:
                    await listener.connected()
                assert 78 == refused.value.exit_code

    asyncio.run(main())


@pytest.mark.parametrize("how", REFUSED)
def test_refused_later_is_tried_again(how: str) -> None:
    async def main() -> None:
        async with (
            platform() as stand_in,
            listening(stand_in.url, backoff=QUICKLY) as listener,
        ):
            await listener.connected()
            where, answer = REFUSED[how]
            getattr(stand_in.faults, where).extend([answer] * 5)
            await stand_in.cut()
            await listener.connected(2)
            assert 5 == listener.supervisor.state.losses["credentials"]

    asyncio.run(main())


@pytest.mark.slow
def test_a_secret_refused_on_reconnect_heals_when_the_file_is_right(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("demo-secret\n")
    with PlatformThread() as stand_in:
        stand_in.platform.gateway.client_config = dict(PROMPT)
        with Daemon(tmp_path, domain=stand_in.url, config=SLOW_PACE, env={"FEISHU_APP_SECRET": ""}) as daemon:
            daemon.ready()
            delivery = stand_in.call(stand_in.platform.push, event(1))
            stand_in.call(delivery.acked)
            stand_in.platform.gateway.credentials["cli_a5ca1ab1e0ddba11"] = "rotated-secret"
            stand_in.call(stand_in.platform.cut)
            daemon.until(lambda: len(stand_in.platform.endpoint_calls) >= 5, "tried again and again")
            assert daemon.rc is None
            assert daemon.said("1000040345") == 1
            secret.write_text("rotated-secret\n")
            mended = time.monotonic()
            daemon.ready(2, within=HEALED)
            stand_in.call(stand_in.call(stand_in.platform.push, event(2)).acked)
            assert time.monotonic() - mended < HEALED
            assert 0 == daemon.stop()
            assert not daemon.said("-secret")


@pytest.mark.slow
def test_a_secret_file_that_is_gone_for_a_while_heals_too(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("demo-secret")
    with (
        PlatformThread() as stand_in,
        Daemon(tmp_path, domain=stand_in.url, config=SLOW_PACE, env={"FEISHU_APP_SECRET": ""}) as daemon,
    ):
        stand_in.platform.gateway.client_config = dict(PROMPT)
        daemon.ready()
        secret.unlink()
        stand_in.call(stand_in.platform.cut)
        daemon.until(lambda: daemon.said("does not exist"), "said that it is gone")
        secret.write_text("demo-secret")
        daemon.ready(2)


def test_a_stale_copy_of_systemds_asks_for_a_restart() -> None:
    async def main() -> float:
        async with (
            platform() as stand_in,
            listening(
                stand_in.url,
                backoff=Backoff(slow_initial=0.05, slow_max=300, stale_secret_after=0.3),
                secret_is_snapshot=True,
            ) as listener,
        ):
            await listener.connected()
            stand_in.gateway.credentials.update(WRONG)
            refused = time.monotonic()
            await stand_in.cut()
            with pytest.raises(RestartNeeded) as ended:
                await listener.connected(2)
            assert 75 == ended.value.exit_code
            return time.monotonic() - refused

    assert 0.3 <= asyncio.run(main()) < 2.0


QUICKLY_STALE = """
import os
from listener.cli import main
from listener.base import logs
from listener.settings.config import load
from listener.app.daemon import run
from listener.sources.long_connection import Backoff
logs.configure()
main.app = lambda: run(load(None, os.environ), backoff=Backoff(stale_secret_after=0.5))
main.main()
"""


@pytest.mark.slow
def test_a_stale_copy_of_systemds_exits_75(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "app_secret").write_text("demo-secret")
    env = {"FEISHU_APP_SECRET": "", "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    with (
        PlatformThread() as stand_in,
        Daemon(
            tmp_path,
            domain=stand_in.url,
            config='[feishu]\nslow_retry.min_delay = "50ms"\nslow_retry.max_delay = "100ms"\n',
            env=env,
            program=(sys.executable, "-c", QUICKLY_STALE),
        ) as daemon,
    ):
        stand_in.platform.gateway.client_config = dict(PROMPT)
        daemon.ready()
        stand_in.platform.gateway.credentials.update(WRONG)
        stand_in.call(stand_in.platform.cut)
        assert 75 == daemon.wait()


def test_connection_limit_twice_then_room() -> None:
    async def main() -> None:
        async with platform() as stand_in:
            stand_in.faults.handshake += [faults.CONNECTION_LIMIT] * 2
            async with listening(stand_in.url, backoff=QUICKLY) as listener:
                await listener.connected()
                assert {"connection_limit": 2} == listener.supervisor.state.losses

    asyncio.run(main())


def test_the_connection_limit_is_told_with_what_it_means(tmp_path: Path) -> None:
    with PlatformThread() as stand_in:
        stand_in.platform.gateway.max_connections = 0
        config = '[feishu]\nslow_retry.min_delay = "100ms"\nslow_retry.max_delay = "200ms"\n'
        with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
            daemon.until(lambda: len(stand_in.platform.handshakes) >= 3, "three refusals")
            stand_in.platform.gateway.max_connections = 50
            daemon.ready()
            assert 1 == daemon.said("another client of this app is connected and takes its share of the events")


@pytest.mark.parametrize("answer", [faults.refused(514, "stale ticket", 1000040346), faults.refused(514, "no code")])
def test_another_514_is_tried_soon_with_a_fresh_url(answer: faults.Reply) -> None:
    async def main() -> None:
        async with platform() as stand_in:
            stand_in.faults.handshake.append(answer)
            async with listening(stand_in.url, backoff=QUICKLY) as listener:
                await listener.connected(within=3)
                assert 2 == len(stand_in.endpoint_calls)

    asyncio.run(main())


def test_an_unknown_code_is_never_fatal() -> None:
    async def main() -> None:
        async with platform() as stand_in:
            stand_in.faults.endpoint += [faults.code(99, "who knows"), faults.code(-1, "")]
            stand_in.faults.handshake += [faults.refused(418, "teapot")]
            async with listening(stand_in.url, backoff=QUICKLY) as listener:
                await listener.connected()
                assert {"refused": 3} == listener.supervisor.state.losses

    asyncio.run(main())


def test_a_refusal_that_repeats_its_headers_is_no_crash() -> None:
    async def main() -> None:
        twice = faults.raw(
            b"HTTP/1.1 514 x\r\nHandshake-Status: 514\r\nHandshake-Status: 403\r\nHandshake-Msg: a\r\n"
            b"Handshake-Msg: b\r\nHandshake-Autherrcode: 99999999999999999999999\r\nContent-Length: 0\r\n\r\n"
        )
        async with platform() as stand_in:
            stand_in.faults.handshake.append(twice)
            async with listening(stand_in.url, backoff=QUICKLY) as listener:
                await listener.connected(within=3)
                assert {"handshake": 1} == listener.supervisor.state.losses

    asyncio.run(main())
