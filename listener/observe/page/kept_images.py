"""Finds the images that `[enrich] attachments` has kept, for the page: a folder of files named by their content.

The journal says which file it is, never the one who asks; its content says what it is, never its name.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from listener.enrich.images import opened
from listener.journal import enrichment
from listener.journal.reading import reading

AT_ONCE = 16  # images that are being sent: each holds a file open
PIECE = 64 * 1024  # bytes


class _Attachment(msgspec.Struct):
    index: int = -1
    type: str = ""
    sha256: str = ""


class _AddedParts(msgspec.Struct):
    attachments: list[_Attachment] = []


def kept_image(journal: Path, folder: Path, seq: int, index: int) -> tuple[BinaryIO, str] | None:
    """Returns (file, media type) of an image of the event with that seq, or None where none is kept."""
    with reading(journal) as connection:
        added = enrichment.added(connection, [seq]).get(seq)
    try:
        known = msgspec.json.decode(added or b"{}", type=_AddedParts).attachments
    except msgspec.MsgspecError:
        return None
    wanted = next((one for one in known if one.index == index and one.sha256), None)
    return opened(folder, wanted.sha256, wanted.type) if wanted else None


class ImageTransfers:
    """Counts the images that are being sent, and reads their files beside the event loop."""

    def __init__(self) -> None:
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Returns whether no more images may be sent now."""
        return self._count >= AT_ONCE

    async def pieces(self, file: BinaryIO) -> AsyncIterator[bytes]:
        """Yields the file's bytes, and closes it."""
        self._count += 1
        try:
            with file:
                while piece := await asyncio.to_thread(file.read, PIECE):
                    yield piece
        finally:
            self._count -= 1
