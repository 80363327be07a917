"""The delivering half: from the journal to the sinks, each at its own pace.

| module       | for                                                                          |
|--------------|------------------------------------------------------------------------------|
| `workers`    | the sinks' workers together: started, exchanged while events flow, drained   |
| `worker`     | one sink's thread: read at the cursor, deliver, move on, carry out orders    |
| `syncing`    | what was delivered and is not synced yet                                     |
| `attempts`   | trying a sink until it takes what it is given (tenacity)                     |
| `preparing`  | events to what one sink is given: selected, formatted, reshaped, filtered     |
| `selection`  | `only`, `omit` and `mask`                                                    |
| `jq`         | users' expressions, in a process of their own (`jq_child`)                   |
| `formatting` | events to lines, once for all sinks that want the same                       |
| `offline`    | replays and retries from the command line                                    |

A sink behind a network has a worker of another make, with the same outer interface:

| module       | for                                                                          |
|--------------|------------------------------------------------------------------------------|
| `network_worker` | the sink's thread and event loop: requests under way, commits            |
| `feeding`    | what is to be sent: new events, replays, what waits aside                    |
| `lanes`      | which events may go out next: a ticket's one after the other                 |
| `endpoint`   | whether the other end works, and when it is probed                           |
| `verdicts`   | what follows from results: done, dead letter, once more, a wait aside        |
| `aside`      | the events that wait beside the cursor, in memory                            |
| `progress`   | the cursor, and what beyond it is done                                       |
| `attempting` | one attempt, and the end of those under way                                  |
| `noting`     | counts and log lines after a commit                                          |
"""
