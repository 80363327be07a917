"""check: what `start` would do, and whether it could."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from listener.cli.options import Config, checked, emit, note

if TYPE_CHECKING:
    from listener.settings.config import Settings
    from listener.sinks.base import SinkConfig
    from listener.sinks.network import NetworkConfig


def check(
    context: typer.Context,
    config: Config = None,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the platform, and each sink's other end, whether they take us.")
    ] = False,
    secret: Annotated[
        bool,
        typer.Option("--secret/--no-secret", help="Read the app secret too; the service's ExecReload can't read it."),
    ] = True,
    explain: Annotated[
        str, typer.Option("--explain", metavar="SETTING", help="Say what a setting means, such as feishu.renew_every.")
    ] = "",
) -> None:
    """Check the settings, and say what `start` would do with them. 检查配置。"""
    if explain:
        _explain(explain)
        return
    wanted = checked(context, config)
    if secret or online:
        wanted.feishu.app_secret.read()
    _tell(wanted)
    if online:
        _ask_platform(wanted)
        _ask_sinks(wanted)
    emit("ok")


def _explain(key: str) -> None:
    """Prints what a setting means, without a configuration. Raises BadParameter for an unknown setting."""
    from listener.cli.explain import explanation

    try:
        emit(explanation(key))
    except LookupError as e:
        raise typer.BadParameter(str(e.args[0]), param_hint="--explain") from None


def _tell(wanted: "Settings") -> None:
    """Prints what `start` would do. Raises ConfigError where a secret of the source can't be read."""
    from listener.settings.values import format_duration, format_size

    feishu, journal = wanted.feishu, wanted.journal
    emit(f"settings   {wanted.origin}")
    emit(f"app        {feishu.app_id} at {feishu.domain}")
    emit(f"secret     {feishu.app_secret.describe()}")
    emit(f"proxy      {feishu.proxy or 'as HTTPS_PROXY and NO_PROXY say'}")
    emit(f"source     {_source(wanted)}")
    emit(f"events     {', '.join(feishu.events)}")
    keep, size = format_duration(journal.keep), format_size(journal.max_size)
    emit(f"journal    {journal.path} ({_writable(journal.path)}; keeps {keep}, at most {size})")
    for sink in wanted.sinks:
        emit(f"sink       {sink.name}: {sink.type}, {sink.format}{_place(sink)}")
    if wanted.http.listen:
        emit(f"page       {_page(wanted)}")
    for name in _unknown_cursors(wanted):
        emit(f"sink       {name}: not in the settings, so forgotten in 30 days; a sink under a new name is a new one")
    for warning in wanted.warnings:
        note(f"warning: {warning}")


def _place(sink: "SinkConfig") -> str:
    """Returns where a sink's events go, as far as a setting with a usual name says so and is no secret."""
    from listener.settings.secrets import SecretSource

    if path := getattr(sink, "path", None):
        return f" → {path} ({_writable(path)})"
    place = getattr(sink, "url", None) or getattr(sink, "dsn", None)
    if isinstance(place, SecretSource):
        return f" → {getattr(sink, 'service', sink.type)}, its address from {place.describe()}"
    place = place or getattr(sink, "chat_id", None) or next(iter(getattr(sink, "command", ())), None)
    servers = getattr(sink, "servers", None) or getattr(sink, "brokers", ())
    return f" → {place}" if place else f" → {', '.join(map(str, servers))}" if servers else ""


def _page(wanted: "Settings") -> str:
    """Returns where the page is. Raises ConfigError where its token can't be read."""
    if wanted.http.token is None:
        return f"http://{wanted.http.listen}/, without buttons: they need http.token_file"
    wanted.http.token.read()
    return f"http://{wanted.http.listen}/, the token for its buttons from {wanted.http.token.describe()}"


def _unknown_cursors(wanted: "Settings") -> list[str]:
    from listener.base.errors import JournalError
    from listener.journal.reading import unknown_cursors

    try:
        return unknown_cursors(wanted.journal.path, [sink.name for sink in wanted.sinks])
    except JournalError as e:
        note(f"warning: {e}")
        return []


def _source(wanted: "Settings") -> str:
    """Returns how events come in. Raises ConfigError where a secret can't be read."""
    source = wanted.source
    for secret in (wanted.feishu.helpdesk_token, source.verification_token, source.encrypt_key):
        if secret is not None:
            secret.read()
    return f"webhook at http://{source.listen}{source.path}" if source.type == "webhook" else source.type


def _writable(path: Path) -> str:
    """Returns whether a file can be written, without making it, by the file or the nearest directory above it."""
    if os.path.exists(path):  # False where this user may not even look
        return f"{_mode(path)}, exists" if os.access(path, os.W_OK) else "exists, NOT writable by this user"
    above = next(parent for parent in path.parents if os.path.exists(parent))
    return "will be made" if os.access(above, os.W_OK | os.X_OK) else f"can NOT be made: {above} is not writable"


def _mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o7777:04o}"


def _ask_platform(wanted: "Settings") -> None:
    """Calls the endpoint, which checks the credentials and takes no connection."""
    from listener.feishu.probe import ask_endpoint

    ask_endpoint(wanted.feishu)
    emit("online     app id and secret are accepted")


def _ask_sinks(wanted: "Settings") -> None:
    """Asks each network sink's other end, TLS included; none is handed an event, and an http sink's hears no request.

    Raises Unavailable where another end can't be reached, ConfigError for what the settings must change.
    """
    for sink in wanted.sinks:
        if said := _asked(sink, wanted):
            emit(f"online     {sink.name}: {said}")


def _asked(sink: "SinkConfig", wanted: "Settings") -> str:
    """Returns what a sink's other end answers; an http receiver is sent no request, which it may take for an event."""
    from listener.sinks.chat import ChatConfig
    from listener.sinks.http import HttpConfig
    from listener.sinks.network import NetworkConfig

    if isinstance(sink, HttpConfig):
        from listener.sinks.http_probe import connect

        return connect(sink)
    if isinstance(sink, ChatConfig) and sink.chat_id is None:
        from listener.sinks.chat_probe import ask

        return ask(sink)
    if isinstance(sink, ChatConfig):
        from listener.backfill.budget import counted
        from listener.feishu.http_api import Api
        from listener.feishu.transport import network_of

        with counted(wanted.journal.path) as meter:
            Api(wanted.feishu, network_of(wanted.feishu), meter=meter).tenant_token()
        return f"the app gets a token; nothing was sent to {sink.chat_id}"
    return _probe(sink) if isinstance(sink, NetworkConfig) else ""


def _probe(config: "NetworkConfig") -> str:
    import asyncio

    from listener.sinks import new_network_sink
    from listener.sinks.network import Probing

    async def ask() -> str:
        sink = new_network_sink(config)
        if not isinstance(sink, Probing):
            return ""
        try:
            return await sink.probe()
        finally:
            await sink.close()

    return asyncio.run(ask())
