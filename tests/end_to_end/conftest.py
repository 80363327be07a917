"""A stand-in platform for each test, quick to push again and to let back in."""

from collections.abc import Iterator

import pytest

from listener.simulator import PlatformThread


@pytest.fixture
def stand_in() -> Iterator[PlatformThread]:
    with PlatformThread(scale=0.01) as stand_in:
        stand_in.platform.gateway.client_config |= {"ReconnectNonce": 0, "PingInterval": 2}
        yield stand_in
