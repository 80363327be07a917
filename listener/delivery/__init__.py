"""Delivers what the journal holds to the sinks, to each at its own pace.

| module       | for                                                                          |
|--------------|------------------------------------------------------------------------------|
| `workers`    | the sinks' workers together: start, change at a reload, drain at the stop     |
| `worker`     | a local sink's thread: read at the cursor, deliver, advance, redeliver       |
| `syncing`    | what was delivered and is not synced yet                                     |
| `attempts`   | trying a sink until it takes what it is given (tenacity)                     |
| `preparing`  | events to one sink's lines: selected, formatted, reshaped, filtered          |
| `selection`  | `only`, `omit` and `mask`                                                    |
| `jq`         | users' expressions, in a process of their own (`jq_child`)                   |
| `formatting` | events to lines, once for all sinks that want the same                       |
| `commands`   | what commands ask for: replay, retry, discard, erase                         |

A sink behind a network has another kind of worker, with the same outer interface:

| module           | for                                                                      |
|------------------|--------------------------------------------------------------------------|
| `network_worker` | the sink's thread and event loop: requests under way, commits            |
| `event_feed`     | reads what is to be sent: new events, redeliveries, retries              |
| `batching`       | gathers events into batches, those of one ticket one after the other     |
| `endpoint`       | whether the other end works, and when it is probed                       |
| `requests`       | one request, and the end of those under way                              |
| `verdicts`       | what follows from results: done, dead letter, sent again, or retry queue |
| `retry_queue`    | the events that wait for another attempt while the others go on          |
| `progress`       | the cursor, and which events beyond it are done                          |
| `reporting`      | counts and log lines after a commit                                      |
"""
