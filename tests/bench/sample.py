"""The official SDK's own sample for this event, as its document has it; only the domain is not Feishu's.

python tests/bench/sample.py http://127.0.0.1:8100 >events.txt

https://open.feishu.cn/document/server-docs/helpdesk-v1/ticket-management/ticket-message/events/created. Left out is
`log_level=lark.LogLevel.DEBUG`, which prints each frame and would only slow it down.
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
    cli = lark.ws.Client("cli_demo", "demo-secret", event_handler=event_handler, domain=sys.argv[1])
    cli.start()


if __name__ == "__main__":
    main()
