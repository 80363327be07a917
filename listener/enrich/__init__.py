"""Fetches more for an event after its ack and before the sinks get it: the ticket as it is now, a message's images.

| module    | for                                                                                         |
|-----------|---------------------------------------------------------------------------------------------|
| `stage`   | one thread between the journal and the sinks: what is fetched is on disk before they see it |
| `view`    | the journal as such a sink sees it: up to where events are ready, with what was fetched     |
| `fetcher` | asks the API: one request for what many events want, a pause while it is down               |
| `detail`  | the ticket in the record's terms (pure)                                                     |
| `images`  | a folder that strangers can't fill                                                          |
"""
