"""The daemon under strace(1): which system calls it made, in order, when each ended."""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STRACE = shutil.which("strace")
CALLS = "recvfrom,recvmsg,read,sendto,sendmsg,write,pwrite64,fdatasync,fsync"
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
_WHOLE = re.compile(r"^(?P<name>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>(?P<more>.*)\) += (?P<result>-?\d+)")
_BEGUN = re.compile(r"^(?P<name>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>(?P<more>.*) <unfinished \.\.\.>$")
_ENDED = re.compile(r"^<\.\.\. (?P<name>\w+) resumed>(?P<more>.*)\) += (?P<result>-?\d+)")

WITHOUT_SYNC = """
import sys
from listener.journal import database
from listener.__main__ import main
database.SYNCHRONOUS = "OFF"
sys.argv = ["helpdesk-listen", "start"]
main()
"""


@dataclass(frozen=True)
class Call:
    """One system call, at its end. `file` is a path or a socket, `data` what strace shows of the arguments."""

    name: str
    file: str
    data: str
    result: int


def traced(output: Path) -> tuple[str, ...]:
    """What stands before the daemon's own command line."""
    assert STRACE
    return (STRACE, "-f", "-qq", "-y", "-xx", "-s", "100000", "-e", f"trace={CALLS}", "-o", str(output))


def careless() -> tuple[str, ...]:
    """The daemon with `synchronous=OFF`, in place of its command line."""
    return sys.executable, "-c", WITHOUT_SYNC


def calls(output: Path) -> Iterator[Call]:
    """In the order in which they ended."""
    begun: dict[str, re.Match[str]] = {}
    for line in output.read_text(encoding="ascii", errors="replace").splitlines():
        if not (parts := _LINE.match(line)):
            continue
        pid, rest = parts["pid"], parts["rest"]
        if whole := _WHOLE.match(rest):
            yield Call(whole["name"], _text(whole["file"]), whole["more"], int(whole["result"]))
        elif start := _BEGUN.match(rest):
            begun[pid] = start
        elif (end := _ENDED.match(rest)) and (start := begun.pop(pid, None)):
            yield Call(start["name"], _text(start["file"]), start["more"] + end["more"], int(end["result"]))


def hexed(text: bytes) -> str:
    """As strace -xx shows it."""
    return "".join(f"\\x{byte:02x}" for byte in text)


def _text(path: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), path)
