"""A process with a journal and an http sink, to be killed: `python -m tests.network.life JOURNAL URL IN_FLIGHT`."""

import sys
import time
from pathlib import Path

from listener.journal import Journal
from tests.network.sending import config, worker_of


def main() -> None:
    path, url, in_flight = sys.argv[1:]
    journal = Journal(Path(path), inspect_after=3600.0)
    journal.start()
    worker = worker_of(journal, config(url, in_flight=int(in_flight)))
    worker.start()
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
