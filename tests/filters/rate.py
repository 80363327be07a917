"""What a filter costs: `python -m tests.filters.rate` prints the delay of one event, and a rate for many."""

import threading
import time

from listener.delivery.jq import Program
from listener.event import FORMATS
from tests.samples import encode, example, received

LINE = FORMATS["record"](received(encode(example())))


def main() -> None:
    """Measures one child."""
    program = Program({"filter": '.event.sender_type_name == "bot"'}, threading.Event())
    program.run([LINE])
    single, batch = [], []
    for _ in range(200):
        started = time.monotonic()
        program.run([LINE])
        single.append(time.monotonic() - started)
    for _ in range(5):
        started = time.monotonic()
        program.run([LINE] * 1000)
        batch.append(time.monotonic() - started)
    program.close()
    print(f"one event: p50 {sorted(single)[100] * 1000:.2f} ms; many: {1000 / sorted(batch)[2]:.0f} events/s")


if __name__ == "__main__":
    main()
