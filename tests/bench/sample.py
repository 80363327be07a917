"""The official SDK's own sample for this event, as its document has it; only the domain is not Feishu's.

python tests/bench/sample.py http://127.0.0.1:8100 >events.txt

https://open.feishu.cn/document/server-docs/helpdesk-v1/ticket-management/ticket-message/events/created
A second argument is the level of its log in place of the document's DEBUG.
"""

import sys

import lark_oapi as lark


def do_p2_helpdesk_ticket_message_created_v1(data: lark.helpdesk.v1.P2HelpdeskTicketMessageCreatedV1) -> None:
    print(f"[ do_p2_helpdesk_ticket_message_created_v1 access ], data: {lark.JSON.marshal(data, indent=4)}")


event_handler = (
    lark.EventDispatcherHandler.builder("", "")
    .register_p2_helpdesk_ticket_message_created_v1(do_p2_helpdesk_ticket_message_created_v1)
    .build()
)


def main() -> None:
    level = lark.LogLevel[sys.argv[2]] if sys.argv[2:] else lark.LogLevel.DEBUG
    cli = lark.ws.Client(
        "cli_a5ca1ab1e0ddba11", "demo-secret", event_handler=event_handler, domain=sys.argv[1], log_level=level
    )
    cli.start()


if __name__ == "__main__":
    main()
