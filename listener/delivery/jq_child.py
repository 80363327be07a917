"""The program of the process that runs a sink's jq expressions; it is started with `-c` and imports nothing of ours.

A jq program holds the interpreter's lock, can't be interrupted, and reads the environment: so it runs here, where the
environment is empty, memory and processor time are limited, and nothing is lost when it is killed.

On standard input: a line of JSON with the expressions, then an event a line. On standard output, for the first `{}` or
what is wrong with them; for each event `+` and the result, `-` (filtered), or `!` and why it failed, as a JSON string.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

MEMORY = 256 * 2**20  # bytes of address space
SECONDS = 2  # of processor time without an answer, more for large events; a process whose parent has died ends too


def main(libraries: str) -> None:
    """Answers until standard input ends; `libraries` is where the jq module is."""
    os.environ.clear()  # Python itself sets LC_CTYPE
    sys.path.append(libraries)
    os.nice(5)
    import jq

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    lines = _lines()
    expressions: dict[str, str] = json.loads(next(lines))
    programs: dict[str, Any] = {}
    for name, expression in expressions.items():
        try:
            programs[name] = jq.compile(expression)
        except ValueError as e:
            _answer(json.dumps({"setting": name, "problem": str(e)}).encode())
            return
    _answer(b"{}")
    run = _runner(programs.get("filter"), programs.get("transform"))
    for line in lines:
        used = int(time.process_time())
        seconds = SECONDS + len(line) // 500_000
        resource.setrlimit(resource.RLIMIT_CPU, (used + 1 + seconds, resource.RLIM_INFINITY))
        _answer(run(line))


def _runner(keep: Any, transform: Any) -> Callable[[bytes], bytes]:
    def run(line: bytes) -> bytes:
        try:
            text = line.decode()
            if keep is not None and next(iter(keep.input_text(text)), None) in (False, None):
                return b"-"
            return b"+" if transform is None else _transformed(transform, text)
        except MemoryError:
            return b'!"it takes too much memory"'
        except Exception as e:
            return b"!" + json.dumps(str(e)[:1000]).encode()

    return run


def _transformed(transform: Any, text: str) -> bytes:
    results = iter(transform.input_text(text))
    try:
        result = next(results)
    except StopIteration:
        return b"-"
    for _ in results:
        raise ValueError("it has more than one result")
    line = json.dumps(result, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "\x85\u2028\u2029":
        line = line.replace(character, f"\\u{ord(character):04x}")
    return b"+" + line.encode("utf-8", "replace")


def _lines() -> Iterator[bytes]:
    rest = b""
    while data := os.read(0, 2**16):
        *whole, rest = (rest + data).split(b"\n")
        yield from whole


def _answer(line: bytes) -> None:
    view = memoryview(line + b"\n")
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    main(sys.argv[1])
