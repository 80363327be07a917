"""simulator: the stand-in of Feishu by itself, for whoever writes a receiver or a sink."""

import sys
from math import isnan
from pathlib import Path
from typing import Annotated

import typer

from listener.base.errors import ConfigError, Unavailable
from listener.cli.options import emit, note

PORT = 8100
MAX_PAYLOAD = 16 * 2**20  # bytes; the simulator takes no more
EPILOG = """\b
Examples / 示例:
  helpdesk-listen simulator --rate 2             two messages a second to whoever connects
  helpdesk-listen simulator push                 the document's example, once, to a running one
  helpdesk-listen simulator push event.json      a payload of your own
  helpdesk-listen simulator --rate 5 --fault duplicates --fault endpoint-500
"""

app = typer.Typer(
    name="simulator",
    help="Run a stand-in of Feishu, or push an event through it. 本地模拟飞书平台。",
    epilog=EPILOG,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def simulator(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on 127.0.0.1; 0: a free one.")] = PORT,
    rate: Annotated[float, typer.Option(min=0, max=10_000, help="Messages a second; 0: only what is pushed.")] = 0.0,
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most this many.")] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help='What goes wrong; "list" names them. May be repeated.')
    ] = None,
) -> None:
    """Run a stand-in of Feishu on this machine, until Ctrl-C. 本地模拟飞书平台。

    Prints the three FEISHU_… variables that lead a client here.
    """
    if context.invoked_subcommand is None:
        _serve(port, rate, count, tuple(fault or ()))


@app.command()
def push(
    file: Annotated[
        Path | None, typer.Argument(help='The payload; "-": stdin. Default: the document\'s example.')
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the simulator listens.")] = PORT,
) -> None:
    """Push one event through a running simulator. 推送一个事件。

    Prints what became of it: its state, and the codes of its acks.
    """
    answer = _post(port, _payload(file))
    emit(answer)
    if '"acked"' not in answer:
        raise Unavailable(
            "the event is not acked",
            hint='"waiting": no client is connected; "bounced": the client refused it, and it is pushed again',
        )


def _serve(port: int, rate: float, count: int | None, faults: tuple[str, ...]) -> None:
    import asyncio

    from listener.simulator import named_faults
    from listener.simulator.program import Serving, serve

    if isnan(rate):
        raise typer.BadParameter("--rate: not a number")
    if "list" in faults:
        emit("\n".join(named_faults.NAMES))
        return
    if unknown := [name for name in faults if name not in named_faults.NAMES]:
        raise typer.BadParameter(f"no such fault: {unknown[0]}; there are {', '.join(named_faults.NAMES)}")
    serving = Serving(port=port, rate=rate, count=count, faults=faults)
    try:
        counts = asyncio.run(serve(serving, _announce))
    except OSError as e:
        raise Unavailable(f"127.0.0.1:{port} can't be listened on: {e.strerror}", hint="name another --port") from e
    note(", ".join(f"{number} {name}" for name, number in counts.items()) or "nobody came")


def _announce(environment: dict[str, str]) -> None:
    emit("\n".join(f"{name}={value}" for name, value in environment.items()))


def _payload(file: Path | None) -> bytes:
    if file is None:
        import json

        from listener.simulator import conversation

        return json.dumps(next(conversation()), ensure_ascii=False).encode()
    try:
        payload = _at_most(MAX_PAYLOAD + 1, file)
    except OSError as e:
        raise ConfigError(f"{file}: {e.strerror}") from e
    if len(payload) > MAX_PAYLOAD:
        raise ConfigError(f"{file}: larger than {MAX_PAYLOAD} bytes", hint="an event has a few thousand")
    return payload


def _at_most(count: int, file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read(count)
    with file.open("rb") as opened:
        return opened.read(count)


def _post(port: int, payload: bytes) -> str:
    """Returns the simulator's answer; asks directly, whatever proxy the environment names."""
    from urllib.error import URLError
    from urllib.request import ProxyHandler, Request, build_opener

    from listener.simulator.push_endpoint import PUSH_PATH

    headers = {"Content-Type": "application/json"}
    request = Request(f"http://127.0.0.1:{port}{PUSH_PATH}", payload, headers, method="POST")
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
            return str(answer.read().decode())
    except (URLError, TimeoutError) as e:
        why = getattr(e, "reason", e)
        raise Unavailable(
            f"no simulator at 127.0.0.1:{port}: {why}", hint="start one: helpdesk-listen simulator"
        ) from e
