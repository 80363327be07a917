"""The SDK's own long-connection sample, unmodified but for domain and output; run in a process of its own.

python -m tests.simulator.sdk_client http://127.0.0.1:8100 events.jsonl
"""

import sys
from pathlib import Path

import lark_oapi as lark


def main(domain: str, path: str) -> None:
    """Writes each event, as the typed handler sees it, as a line to the file."""

    def on_message(data: lark.helpdesk.v1.P2HelpdeskTicketMessageCreatedV1) -> None:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{lark.JSON.marshal(data.event)}\n")

    handler = (
        lark.EventDispatcherHandler.builder("", "").register_p2_helpdesk_ticket_message_created_v1(on_message).build()
    )
    lark.ws.Client("cli_a5ca1ab1e0ddba11", "demo-secret", event_handler=handler, domain=domain).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
