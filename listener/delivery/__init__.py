"""The delivering half: from the journal to the sinks, each at its own pace.

| module       | for                                                                          |
|--------------|------------------------------------------------------------------------------|
| `workers`    | the sinks' workers together: started, exchanged while events flow, drained   |
| `worker`     | one sink's thread: read at the cursor, deliver, move on, carry out orders    |
| `attempts`   | trying a sink until it takes what it is given (tenacity)                     |
| `preparing`  | events to what one sink is given: selected, formatted, reshaped, filtered     |
| `selection`  | `only`, `omit` and `mask`                                                    |
| `jq`         | users' expressions, in a process of their own (`jq_child`)                   |
| `formatting` | events to lines, once for all sinks that want the same                       |
| `ordering`   | replays and retries from the command line                                    |
"""
