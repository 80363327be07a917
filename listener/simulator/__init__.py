"""A local stand-in of Feishu's long-connection platform, shared by `demo`, `simulator`, tests and benchmarks.

| module | for |
|---|---|
| `frames`, `websocket_codec`, `http1` | pure codecs, written from the documents and not with the SDK |
| `connection` | one TCP connection: HTTP request, then websocket |
| `gateway`, `openapi`, `tickets_api`, `chats` | endpoint call and handshake; the HTTP APIs; what a bot sends |
| `desk` | the helpdesk behind the APIs: tickets, messages, images |
| `delivery`, `dispatcher` | an event's pushes and acks; redelivery |
| `faults`, `named_faults` | what can be made to go wrong; the same by name, for the command line |
| `server`, `thread`, `program` | `Platform`, the same in a thread, and as a program |
| `push_endpoint` | the path by which `simulator push` hands it a payload |
| `flood` | the benchmark's driver |
| `conversation`, `scenarios` | a believable helpdesk conversation |
| `watch` | waits for a condition over the stand-in's state |
| `link`, `proxy` (of `pipe`s) | a TCP link that can be cut, stalled and throttled; an HTTP proxy |

It imports nothing else of this project.
"""

from listener.simulator.conversation import conversation
from listener.simulator.delivery import Ack, Delivery, Undelivered
from listener.simulator.faults import Faults, Reply
from listener.simulator.flood import FloodResult
from listener.simulator.link import Link
from listener.simulator.proxy import ConnectProxy
from listener.simulator.server import Platform
from listener.simulator.thread import PlatformThread

__all__ = [
    "Ack",
    "ConnectProxy",
    "Delivery",
    "Faults",
    "FloodResult",
    "Link",
    "Platform",
    "PlatformThread",
    "Reply",
    "Undelivered",
    "conversation",
]
