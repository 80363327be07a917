"""Frames of any content: what makes no sense is told of and dropped, and the connection lives on."""

import asyncio
import random
from pathlib import Path

import pytest

from listener.simulator import PlatformThread, faults, frames, websocket_codec
from listener.simulator.frames import CONTROL, DATA, Frame
from tests.connection.listening import event, listening, platform
from tests.daemon import Daemon


def encoded(method: int = DATA, payload: bytes = b"{}", **headers: str) -> bytes:
    """One frame on the wire."""
    return frames.encode(Frame(service=1, method=method, headers=list(headers.items()), payload=payload))


BAD = {
    "empty": b"",
    "torn": encoded(type="event", message_id="m")[:-3],
    "no required fields": b"\x32\x04json",
    "unknown method": encoded(7, type="event"),
    "negative method": encoded(-1, type="event"),
    "no headers": encoded(),
    "no type": encoded(message_id="m", sum="1", seq="0"),
    "a control frame of no type": encoded(CONTROL),
    "a control frame of an unknown type": encoded(CONTROL, type="hello"),
    "a pong that is not JSON": encoded(CONTROL, b"\xff{", type="pong"),
    "a pong that is a list": encoded(CONTROL, b"[1]", type="pong"),
    "sum is a text": encoded(type="event", message_id="m", sum="many", seq="0"),
    "sum is absurd": encoded(type="event", message_id="m", sum="9" * 5000, seq="0"),
    "sum is negative": encoded(type="event", message_id="m", sum="-2", seq="0"),
    "seq is beyond sum": encoded(type="event", message_id="m", sum="2", seq="2"),
    "seq is negative": encoded(type="event", message_id="m", sum="2", seq="-1"),
    "a part of no message": encoded(type="event", sum="2", seq="0"),
    "not UTF-8": b"\x08\x01\x10\x01\x18\x01\x20\x01\x2a\x08\x0a\x04type\x12\x02\xff\xfe",
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_frame_is_told_of_and_dropped(what: str) -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            stand_in.send_raw(BAD[what])
            delivery = stand_in.push(event(1))
            await delivery.acked()
            assert 1 == len(listener.bad_frames), listener.bad_frames
            assert ([event(1)], [200]) == (listener.handler.payloads, delivery.codes)
            assert (1, {}) == (
                listener.supervisor.state.connections,
                listener.supervisor.state.losses,
            )

    asyncio.run(main())


def test_a_text_message_is_told_of_and_dropped() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            stand_in.send_raw(encoded(type="event", message_id="m"), text=True)
            await stand_in.push(event(1)).acked()
            assert (1, [event(1)]) == (len(listener.bad_frames), listener.handler.payloads)

    asyncio.run(main())


def test_a_message_in_many_websocket_frames_is_one() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            whole = encoded(payload=event(1), type="event", message_id="m")
            pieces = [whole[i : i + 7] for i in range(0, len(whole), 7)]
            for number, piece in enumerate(pieces):
                opcode = websocket_codec.CONTINUATION if number else websocket_codec.BINARY
                final = 0x80 if number == len(pieces) - 1 else 0
                stand_in.connections[0].write(bytes((final | opcode, len(piece))) + piece)
                stand_in.connections[0].write(websocket_codec.encode(websocket_codec.PING, b"between"))
            await listener.until(lambda: listener.handler.payloads, "the event")
            assert [event(1)] == listener.handler.payloads

    asyncio.run(main())


def random_frames(seed: int, count: int) -> list[bytes]:
    """Half of them noise, half with the shape of a frame and noise in it."""
    chance = random.Random(seed)
    noise = [chance.randbytes(chance.randrange(300)) for _ in range(count // 2)]
    return noise + [shaped(chance) for _ in range(count - len(noise))]


def shaped(chance: random.Random) -> bytes:
    def text() -> str:
        return "".join(map(chr, chance.choices(range(1, 0xD7FF), k=chance.randrange(20))))

    keys = ["type", "message_id", "sum", "seq", "trace_id", text()]
    values = ["ping", "pong", "-1", "0", "2", "99999999999", text()]  # no event: one would rightly be acked
    headers = [(chance.choice(keys), chance.choice(values)) for _ in range(chance.randrange(6))]
    frame = Frame(chance.getrandbits(64), chance.getrandbits(64), chance.getrandbits(31), chance.randrange(-2, 4))
    frame.headers, frame.payload, frame.payload_type = headers, chance.randbytes(chance.randrange(100)), text()
    data = frames.encode(frame)
    return data[: chance.randrange(len(data))] if chance.random() < 0.3 else data


def test_1000_random_frames_and_then_an_event(tmp_path: Path) -> None:
    """One ack of 200, one record, the same connection, and a handful of lines about it."""
    with PlatformThread() as stand_in, Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        platform = stand_in.platform
        for data in random_frames(20201113, 1000):
            stand_in.call(platform.send_raw, data, text=data[:1] == b"\x01")
        delivery = stand_in.call(platform.push, event(1))
        stand_in.call(delivery.acked)
        assert ([200], 1) == (delivery.codes, delivery.pushes)
        assert (1, 1) == (len(platform.handshakes), len(platform.connections))
        daemon.until(lambda: daemon.stdout, "a record")
        assert 0 == daemon.stop()
        assert 1 == len(daemon.records)
        assert 0 < daemon.said("frame dropped") <= 5
        assert all(len(line) < 1000 for line in daemon.stderr)


def test_absurd_timings_are_obeyed_inside_limits() -> None:
    """They come with the endpoint's answer and with any pong; NaN and 1e999 are what json.dumps makes of them."""
    odd = [0, -1, 1e-9, 10**400, float("inf"), float("nan"), "2", None, True, [], {}]

    async def main() -> None:
        async with platform() as stand_in:
            for value in odd:
                stand_in.gateway.client_config = {"PingInterval": value, "ReconnectNonce": value}
                async with listening(stand_in.url) as listener:
                    await listener.connected()
                    await listener.until(lambda: listener.supervisor.session.round_trip, "a pong")  # type: ignore[union-attr]
                    session = listener.supervisor.session
                    assert session is not None
                    assert 0 <= session.reconnect_nonce <= 5
                    assert 1 <= session.timings.ping_interval <= 300  # type: ignore[attr-defined]

    asyncio.run(main())


@pytest.mark.parametrize("config", [None, {}, {"PingInterval": 2}, {"Unknown": [2]}])
def test_a_partial_client_config_is_no_obstacle(config: object) -> None:
    async def main() -> None:
        async with platform() as stand_in:
            stand_in.gateway.client_config = config
            async with listening(stand_in.url) as listener:
                await listener.connected(within=3)
                assert {} == listener.supervisor.state.losses

    asyncio.run(main())


def test_a_message_that_is_too_long_costs_the_connection_and_no_more() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            stand_in.send_raw(b"x" * (5 * 2**20))
            await listener.connected(2)
            await stand_in.push(event(1)).acked()
            assert faults.SOCKET_PATH == stand_in.handshakes[-1].path

    asyncio.run(main())
