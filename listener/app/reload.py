"""Reloads the settings at SIGHUP: what can change while events flow does so, the rest is named."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager

import msgspec

from listener.base.errors import ListenError
from listener.base.logs import get_logger
from listener.settings.config import Settings
from listener.settings.secrets import SecretSource

log = get_logger(__name__)


class Reloader:
    """Reads the settings again when it is asked, and has what may change while events flow applied.

    `ask` is called in the loop. `reread` blocks and raises ConfigError; `apply` raises before it has changed anything.
    """

    def __init__(
        self,
        running: Settings,
        reread: Callable[[], Settings],
        apply: Callable[[Settings], Awaitable[None]],
        under_way: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._running, self._reread, self._apply, self._under_way = running, reread, apply, under_way
        self._asked = False
        self.task: asyncio.Task[None] | None = None

    def ask(self) -> None:
        """Starts a reload; however often it is asked for meanwhile, one more follows."""
        self._asked = True
        if self.task is None or self.task.done():
            self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while self._asked:
            self._asked = False
            try:
                with self._under_way():
                    await self._once()
            except Exception:  # a bug; the daemon goes on with the settings that it has
                log.exception("reload failed in a way that it should not; the daemon goes on")

    async def _once(self) -> None:
        try:
            wanted = await asyncio.to_thread(self._checked)
            settings = merged(self._running, wanted)
            await self._apply(settings)
        except ListenError as e:
            what = "reload refused: nothing has changed"
            log.error(what, because=str(e), hint=e.hint)  # noqa: TRY400 the reason says it all
            return
        waiting = needs_restart(self._running, wanted)
        self._running = settings
        log.info("reloaded", config=wanted.origin, sinks=[sink.name for sink in settings.sinks])
        for warning in settings.warnings:
            log.warning(warning)
        if waiting:
            log.warning("these settings have changed and wait for a restart", settings=waiting)

    def _checked(self) -> Settings:
        wanted = self._reread()
        for secret in (wanted.feishu.app_secret, wanted.source.verification_token, wanted.source.encrypt_key):
            if secret is not None:
                secret.read()
        return wanted


def merged(running: Settings, wanted: Settings) -> Settings:
    """Returns `running` with the settings of `wanted` that can change while events flow."""
    replace = msgspec.structs.replace
    source, keys = running.source, wanted.source
    if source.type == keys.type:
        source = replace(source, verification_token=keys.verification_token, encrypt_key=keys.encrypt_key)
    return replace(
        running,
        sinks=wanted.sinks,
        log=wanted.log,
        journal=replace(running.journal, keep=wanted.journal.keep, max_size=wanted.journal.max_size),
        feishu=replace(running.feishu, app_secret=wanted.feishu.app_secret, renew_every=wanted.feishu.renew_every),
        source=source,
        warnings=wanted.warnings,
    )


def needs_restart(running: Settings, wanted: Settings) -> list[str]:
    """Returns the names of the settings that differ and wait for a restart."""
    return list(_differences(merged(running, wanted), wanted, ""))


def _differences(one: msgspec.Struct, other: msgspec.Struct, prefix: str) -> Iterator[str]:
    for name in one.__struct_fields__:
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(left, msgspec.Struct) and type(left) is type(right) and not isinstance(left, SecretSource):
            yield from _differences(left, right, f"{prefix}{name}.")
        elif left != right and name != "origin":
            yield prefix + name
