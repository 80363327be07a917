"""subscribe, unsubscribe: whether a helpdesk's events are sent to the app at all."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from listener.base.errors import ListenError
from listener.cli.options import Config, emit, note, settings

if TYPE_CHECKING:
    from listener.feishu.http_api import Api, Helpdesk
    from listener.settings.config import FeishuSettings, Settings

EPILOG = """\b
Examples / 示例:
  helpdesk-listen subscribe
  helpdesk-listen subscribe --event helpdesk.ticket.created_v1 --event helpdesk.ticket.updated_v1
  helpdesk-listen subscribe --helpdesk-id 7001 --token-file a.token --helpdesk-id 7002 --token-file b.token
"""


def _event(text: str) -> str:
    from listener.sinks.base import EventType

    known = get_args(EventType)
    if text not in known:
        raise typer.BadParameter(f"{text} is none of {', '.join(known)}")
    return text


Event = Annotated[
    list[str] | None,
    typer.Option("--event", parser=_event, metavar="TYPE", help="Repeatable. Default: what feishu.events names."),
]
HelpdeskId = Annotated[
    list[str] | None,
    typer.Option("--helpdesk-id", metavar="ID", help="Another helpdesk than feishu.helpdesk_id; repeatable."),
]
TokenFile = Annotated[
    list[Path] | None,
    typer.Option("--token-file", metavar="FILE", help="The file with its token; one for each --helpdesk-id."),
]


def subscribe(
    context: typer.Context,
    config: Config = None,
    event: Event = None,
    helpdesk_id: HelpdeskId = None,
    token_file: TokenFile = None,
) -> None:
    """Have the helpdesk's events sent to the app. 订阅服务台事件。

    Without a subscription none ever comes. Safe to repeat.
    """
    from listener.feishu.http_api import Api

    wanted = settings(context, config)
    _change(wanted, Api.subscribe, "subscribed to", event, helpdesks(wanted.feishu, helpdesk_id, token_file))


def unsubscribe(
    context: typer.Context,
    config: Config = None,
    event: Event = None,
    helpdesk_id: HelpdeskId = None,
    token_file: TokenFile = None,
) -> None:
    """Have the helpdesk's events no longer sent to the app. 取消订阅服务台事件。

    Safe to repeat.
    """
    from listener.feishu.http_api import Api

    wanted = settings(context, config)
    _change(wanted, Api.unsubscribe, "unsubscribed from", event, helpdesks(wanted.feishu, helpdesk_id, token_file))


def helpdesks(feishu: "FeishuSettings", ids: Sequence[str] | None, files: Sequence[Path] | None) -> "list[Helpdesk]":
    """Returns the helpdesks that the options name, in their order, else the configured one."""
    from listener.feishu.http_api import Helpdesk, helpdesk_of
    from listener.settings.secrets import SecretKind, SecretSource

    ids, files = ids or [], files or []
    if len(ids) != len(files):
        raise typer.BadParameter("each --helpdesk-id needs its --token-file, and the other way round")
    if not ids:
        return [helpdesk_of(feishu)]
    tokens = [SecretSource(SecretKind.FILE, str(file)).read() for file in files]
    return [Helpdesk(one, token) for one, token in zip(ids, tokens, strict=True)]


def _change(
    wanted: "Settings",
    call: "Callable[[Api, Helpdesk, Sequence[str]], None]",
    done: str,
    events: list[str] | None,
    helpdesks: "list[Helpdesk]",
) -> None:
    """Changes one helpdesk after the other; one that fails keeps none of the others from its turn."""
    from listener.backfill.budget import counted
    from listener.feishu.http_api import Api
    from listener.feishu.transport import network_of

    types = events or list(wanted.feishu.events)
    failures: list[ListenError] = []
    with counted(wanted.journal.path) as meter:
        api = Api(wanted.feishu, network_of(wanted.feishu), tell=note, meter=meter)
        for helpdesk in helpdesks:
            try:
                call(api, helpdesk, types)
            except ListenError as e:
                note(f"helpdesk-listen: helpdesk {helpdesk.id}: {e}" + (f"\n  → {e.hint}" if e.hint else ""))
                failures.append(e)
            else:
                emit(f"helpdesk {helpdesk.id}: {done} {', '.join(types)} (the platform answered code 0)")
    if failures:
        raise typer.Exit(failures[0].exit_code)
