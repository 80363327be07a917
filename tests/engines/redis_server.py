"""A Redis server on loopback for tests."""

from collections.abc import Sequence
from pathlib import Path

import redis

from tests.engines.server import Server, program


class RedisServer(Server):
    """With an append-only file; `settings` are those of redis.conf, with _ for -."""

    name = "redis-server"

    def command(self) -> Sequence[str]:
        given = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.home),
            "appendonly": "yes",
        } | self.settings
        lines = [f"{key.replace('_', '-')} {value}" for key, value in given.items()]
        (self.home / "redis.conf").write_text("\n".join(lines))
        return [program("redis-server", Path("/usr/bin")), str(self.home / "redis.conf")]

    def url(self, scheme: str = "redis", user: str = "") -> str:
        return f"{scheme}://{user}127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Whether it has read its file, too."""
        try:
            with redis.Redis(port=self.port, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return self.settings.get("port") == "0" and super().answers()

    def entries(self, stream: str = "helpdesk") -> list[dict[str, str]]:
        """The fields of the stream's entries, in their order."""
        with redis.Redis(port=self.port, decode_responses=True) as client:
            return [fields for _, fields in client.xrange(stream)]
