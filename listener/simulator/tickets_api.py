"""Serves the helpdesk's reading APIs: tickets, one ticket, a ticket's messages, customized fields, images.

Limits and errors are the documented ones: page_size up to 200, 10,000 rows a query, time bounds in pairs. The unit of a
message query's times is a setting, since the documents disagree.
"""

from collections.abc import Iterable
from typing import Any

from listener.simulator.desk import Row
from listener.simulator.faults import Reply, code, reply
from listener.simulator.http1 import HttpRequest
from listener.simulator.openapi import TICKETS_PATH, Tenant, field_violation, route

FIELDS_PATH = "/open-apis/helpdesk/v1/ticket_customized_fields"
IMAGES_PATH = "/open-apis/helpdesk/v1/ticket_images"
MAX_PAGE, MAX_ROWS = 200, 10_000
NO_TICKET = code(154002, "ticket not found", 404)
NO_IMAGE = code(154004, "no image in the message", 400)
DELETED_IMAGE = code(154404, "the image was deleted", 404)


@route("GET", TICKETS_PATH)
def _tickets(api: Tenant, request: HttpRequest) -> Reply:
    if refusal := api.refusal(request, "tickets"):
        return refusal
    query = request.query
    if any((f"{name}_start" in query) != (f"{name}_end" in query) for name in ("create_time", "update_time")):
        return field_violation("create_time_start", "start and end come in pairs")
    rows = list(api.desk.tickets.values())
    for name, value in (("create_time", "created_at"), ("update_time", "updated_at")):
        if f"{name}_start" in query:
            start, end = int(query[f"{name}_start"]), int(query[f"{name}_end"])
            rows = [row for row in rows if start <= row[value] <= end]
    return _page(api, query, sorted(rows, key=lambda row: (row["created_at"], row["ticket_id"])), "tickets")


@route("GET", f"{TICKETS_PATH}/:id")
def _ticket(api: Tenant, request: HttpRequest) -> Reply:
    if refusal := api.refusal(request, "ticket"):
        return refusal
    ticket = api.desk.tickets.get(request.path.split("/")[5])
    return NO_TICKET if ticket is None else _success({"ticket": ticket})


@route("GET", f"{TICKETS_PATH}/:id/messages")
def _messages(api: Tenant, request: HttpRequest) -> Reply:
    if refusal := api.refusal(request, "messages"):
        return refusal
    ticket_id, query = request.path.split("/")[5], request.query
    if ticket_id not in api.desk.tickets:
        return NO_TICKET
    rows: Iterable[Row] = api.desk.messages.get(ticket_id, [])
    if "time_start" in query:
        start, end = (int(query.get(name, 1 << 60)) * api.message_time_unit for name in ("time_start", "time_end"))
        rows = [row for row in rows if start <= row["created_at"] <= end]
    return _page(api, query, list(rows), api.messages_key)


@route("GET", FIELDS_PATH)
def _fields(api: Tenant, request: HttpRequest) -> Reply:
    return api.refusal(request, "fields") or _success({"has_more": False, "items": api.desk.fields()})


@route("GET", IMAGES_PATH)
def _image(api: Tenant, request: HttpRequest) -> Reply:
    if refusal := api.refusal(request, "images"):
        return refusal
    query = request.query
    key = (query.get("ticket_id", ""), query.get("msg_id", ""), int(query.get("index", 0)))
    if key not in api.desk.images:
        return NO_IMAGE
    content = api.desk.images[key]
    return DELETED_IMAGE if content is None else Reply(200, content, {"Content-Type": "application/octet-stream"})


def _page(api: Tenant, query: dict[str, str], rows: list[Row], name: str) -> Reply:
    page, size = int(query.get("page", 1)), int(query.get("page_size", 20))
    if not 1 <= size <= MAX_PAGE or page < 1:
        return field_violation("page_size", f"page_size is 1 to {MAX_PAGE}")
    start = 0 if api.repeats_pages else (page - 1) * size
    return _success({"total": min(len(rows), api.max_rows), name: rows[: api.max_rows][start : start + size]})


def _success(data: Any) -> Reply:
    return reply({"code": 0, "msg": "success", "data": data})
