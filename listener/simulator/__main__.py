"""The stand-in on its own, for tests and the benchmark; for people there is `helpdesk-listen simulator`."""

import argparse
import asyncio
import json
import sys

from listener.simulator.flood import FloodResult
from listener.simulator.program import Serving, serve


def main() -> None:
    """Serves until SIGTERM or SIGINT, or as long as `--exit` asks for."""
    _say(json.dumps(asyncio.run(serve(_serving(), _announce, _report))))


def _serving() -> Serving:
    parser = argparse.ArgumentParser(prog="python -m listener.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--rate", type=float, default=0.0, help="events a second; 0 pushes none (default)")
    parser.add_argument("--count", type=int, default=None, help="push at most so many")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the redelivery delays")
    parser.add_argument("--ping-interval", type=int, default=120, help="seconds, told to the clients")
    parser.add_argument("--flood", type=int, default=0, metavar="UNACKED", help="push --count events at full speed")
    parser.add_argument("--exit", action="store_true", dest="until_acked", help="exit when --count events are acked")
    return Serving(**vars(parser.parse_args()))


def _announce(environment: dict[str, str]) -> None:
    _say(" ".join(f"{name}={value}" for name, value in environment.items()))


def _report(result: FloodResult) -> None:
    figures = {
        "events": result.count,
        "events_per_s": round(result.rate),
        "p50_ms": round(result.percentile(50) * 1000, 3),
        "p99_ms": round(result.percentile(99) * 1000, 3),
        "bounced": result.bounced,
        "given_up": len(result.given_up),
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
