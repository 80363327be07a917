"""demo: the main job with no account."""

from typing import Annotated

import typer

from listener.cli.options import note


def demo(
    count: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Exactly this many records. Default: 12, or with --page until Ctrl-C."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="Records a second.")] = 5.0,
    *,
    page: Annotated[bool, typer.Option("--page", help="Serve the live page meanwhile, and print its address.")] = False,
) -> None:
    """See it work, with no account. 无需账号的演示。

    Runs the real listener against a stand-in of the platform: a helpdesk conversation over several tickets, with a
    duplicate event and a cut connection on the way. Records go to stdout, a report of what happens to stderr.
    """
    from listener.app.demonstration import Demo
    from listener.base import logs

    logs.configure("error")
    Demo(count or (None if page else 12), rate, lambda line: note(f"· {line}"), page=page).run()
