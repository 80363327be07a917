"""start: listens until stopped."""

from typing import Annotated

import typer

from listener.cli.options import Config, checked, duration, note

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
) -> None:
    """Listen, and forward every ticket message to the sinks. 开始监听。

    Says `ready` on stderr once connected. stdout is for records only.
    """
    from listener.app import signals
    from listener.base import logs

    signals.stoppable_at_once()
    from listener.app.daemon import Bounds, Service

    wanted = checked(context, config)
    logs.configure(wanted.log.level, wanted.log.format)
    for warning in wanted.warnings:
        note(f"helpdesk-listen: warning: {warning}")
    bounds = Bounds(max_events=max_events, seconds=for_)
    Service(wanted, bounds, reread=lambda: checked(context, config)).run()
