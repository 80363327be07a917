"""demo: the main job with no account."""

from typing import Annotated

import typer

from listener.cli.options import note


def demo(
    count: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Exactly this many records; 12, or with --page until Ctrl-C."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="Records a second.")] = 5.0,
    *,
    page: Annotated[bool, typer.Option("--page", help="Show the live page meanwhile; its address is told.")] = False,
) -> None:
    """See it work, with no account: a stand-in platform, the real listener, records on stdout. 无需账号的演示。

    A helpdesk conversation over several tickets, with a duplicate and a cut of the connection on the way. The story is
    told on stderr.
    """
    from listener.app.demonstration import Demo
    from listener.base import logs

    logs.configure("error")
    Demo(count or (None if page else 12), rate, lambda line: note(f"· {line}"), page=page).run()
