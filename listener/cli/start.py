"""start: listens and forwards until stopped."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from listener.cli.options import Config, checked, duration, note

if TYPE_CHECKING:
    from listener.settings.config import Settings

EPILOG = """\b
Examples / 示例:
  helpdesk-listen start                                  with config.toml, until SIGTERM or Ctrl-C
  FEISHU_APP_ID=cli_… FEISHU_APP_SECRET=… helpdesk-listen start | jq .event.text
  helpdesk-listen start --max-events 1 --for 60s         one event, or a minute
"""


def start(
    context: typer.Context,
    config: Config = None,
    max_events: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop once every sink has got N events.", show_default=False)
    ] = None,
    for_: Annotated[
        float | None,
        typer.Option("--for", parser=duration, metavar="30s", help="Stop after this long; exit 69 if never connected."),
    ] = None,
    forward_to: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Post the events to this address too, signed, in this run.", show_default=False
        ),
    ] = None,
) -> None:
    """Listen, and forward every ticket message to the sinks. 开始监听。

    Says `ready` on stderr once connected. stdout is for records only.
    """
    from listener.app import signals
    from listener.base import logs

    signals.stoppable_at_once()
    from listener.app.daemon import run
    from listener.app.running import Bounds

    def read(file: Path | None = config) -> "Settings":
        wanted = checked(context, file)
        return with_forwarding(wanted, forward_to) if forward_to else wanted

    wanted = read()
    if forward_to:
        _tell_secret(wanted)
    logs.configure(wanted.log.level, wanted.log.format)
    for warning in wanted.warnings:
        note(f"helpdesk-listen: warning: {warning}")
    bounds = Bounds(max_events=max_events, seconds=for_)
    run(wanted, bounds, reread=lambda: read(_file_of(wanted)))


def _file_of(wanted: "Settings") -> Path | None:
    """Returns the file that a reload reads: the same one, since where it is gone, others were not meant."""
    return None if wanted.origin == "environment" else Path(wanted.origin)


def _tell_secret(wanted: "Settings") -> None:
    """Prints the signing secret once a start, since whoever receives the events checks them with it."""
    from listener.sinks.forwarding import FILE
    from listener.sinks.http import HttpConfig

    (url,) = [sink.url for sink in wanted.sinks[-1:] if isinstance(sink, HttpConfig)]
    secret = (wanted.journal.path.parent / FILE).read_text(encoding="utf-8")
    note(f"forwarding to {url}; the signing secret is {secret}")


def with_forwarding(wanted: "Settings", url: str) -> "Settings":
    """Adds an http sink, whose secret is made once and kept beside the journal. Raises ConfigError."""
    import msgspec

    from listener.base.errors import ConfigError
    from listener.sinks.forwarding import forwarding

    try:
        sink = forwarding(url, wanted.journal.path.parent)
    except ValueError as e:
        raise ConfigError(f"--forward-to: {e}", hint='such as "http://localhost:3000/hook"') from None
    return msgspec.structs.replace(wanted, sinks=(*wanted.sinks, sink))
