"""Finds out whether a write-ahead log ends early by damage, as opposed to a commit that a crash cut off.

SQLite reads the log as far as its checksums hold, and overwrites the rest without a word. Right after a power cut that
is right: what follows was never synced, and nobody was told that it is kept. A commit that was synced, though, is
followed by another one, or known to the index of the log (PATH-shm), which outlives a killed process. Where such a
commit lies beyond the end that SQLite sees, a bit has flipped
(https://sqlite.org/fileformat2.html#the_write_ahead_log).
"""

import struct
from pathlib import Path
from typing import BinaryIO

HEADER, FRAME = 32, 24  # bytes
_BIG_ENDIAN_MAGIC = 0x377F0683


def known_frames(path: Path) -> tuple[int, bytes]:
    """Returns how many frames the log's index knows as committed, and the salts of that log; (0, b"") if none."""
    try:
        with Path(f"{path}-shm").open("rb") as file:
            header = file.read(48)
    except OSError:
        return 0, b""
    return (struct.unpack_from("=I", header, 16)[0], header[32:40]) if len(header) == 48 else (0, b"")


def ends_early(path: Path, valid: int, known: tuple[int, bytes]) -> bool:
    """Returns whether a synced commit lies behind the first `valid` frames, where SQLite's reading ends.

    `known` is what `known_frames` returned before anybody opened the database. Raises OSError.
    """
    try:
        with Path(f"{path}-wal").open("rb") as file:
            header = file.read(HEADER)
            if len(header) < HEADER:
                return False
            if known[0] > valid and known[1] == header[16:24]:
                return True
            return _goes_on(file, header, valid)
    except FileNotFoundError:
        return False


def _goes_on(file: BinaryIO, header: bytes, valid: int) -> bool:
    """Returns whether a frame behind those continues a commit, by its checksum: that commit was synced then."""
    magic, _, page = struct.unpack_from(">III", header)
    salts, order = header[16:24], ">" if magic == _BIG_ENDIAN_MAGIC else "<"
    file.seek(HEADER + valid * (FRAME + page))
    commit = b""  # the checksum of the frame before, if it ended a commit
    strangers = 0  # frames of an older log; one may be of this log, with the damage in its salts
    while len(frame := file.read(FRAME + page)) == FRAME + page:
        strangers += frame[8:16] != salts
        if strangers == 2:
            return False
        if commit and _checksum(frame[:8] + frame[FRAME:], commit, order) == frame[16:24]:
            return True
        ends_commit = struct.unpack_from(">I", frame, 4)[0]
        commit = frame[16:24] if ends_commit else b""
    return False


def _checksum(data: bytes, before: bytes, order: str) -> bytes:
    """Returns the running checksum of a frame, from that of the frame before it; both are stored big-endian."""
    first, second = struct.unpack(">II", before)
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return struct.pack(">II", first, second)
