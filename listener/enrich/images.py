"""Keeps the images of messages in a folder: named by their content, of known types, within limits.

What a guest sends decides neither path nor name, and can't fill the disk: an image beyond the limits is not kept.
"""

import hashlib
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from listener.base.errors import Unavailable
from listener.base.files import make_directories, sync_directory
from listener.base.text import encodable
from listener.feishu.answers import Gone

TYPES = (
    (b"\x89PNG\r\n\x1a\n", "png", "image/png"),
    (b"\xff\xd8\xff", "jpg", "image/jpeg"),
    (b"GIF87a", "gif", "image/gif"),
    (b"GIF89a", "gif", "image/gif"),
    (b"BM", "bmp", "image/bmp"),
)
"""(how a file of the type begins, the ending of its name, its media type)."""


@dataclass(frozen=True)
class Image:
    """A file in the folder; `size` is in bytes."""

    file: str
    type: str
    size: int
    sha256: str


class Folder:
    """Keeps images for several threads. `max_size` bounds one image, `total` all files, in bytes."""

    def __init__(self, path: Path, max_size: int, total: int) -> None:
        self.path, self._max_size, self._total = path, max_size, total
        self._guard = threading.Lock()
        self._used: int | None = None

    def keep(self, content: bytes) -> Image:
        """Returns the file with this content, made where it is not there yet. Raises ListenError."""
        if len(content) > self._max_size:
            raise Gone(f"larger than enrich.attachment_max_size ({len(content)} bytes)")
        ending, media_type = _type(content)
        digest = hashlib.sha256(content).hexdigest()
        target = self.path / f"{digest}.{ending}"
        try:
            with self._guard:
                if not target.exists():
                    self._write(target, content)
        except OSError as e:
            raise Unavailable(
                f"{encodable(str(self.path))}: {e.strerror}", hint="check enrich.attachments, its owner and the disk"
            ) from e
        return Image(encodable(str(target)), media_type, len(content), digest)

    def _write(self, target: Path, content: bytes) -> None:
        """Writes under another name first, so that a crash leaves no half image under a good name."""
        make_directories(self.path, 0o750)
        if self._used is None:
            self._used = self._sweep()
        if self._used + len(content) > self._total:
            raise Gone("the folder has reached enrich.attachments_max_size")
        part = self.path / f".part-{secrets.token_hex(8)}"
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        try:
            with open(fd, "wb") as file:
                os.fchmod(fd, 0o640)
                file.write(content)
                file.flush()
                os.fsync(fd)
            os.rename(part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_directory(self.path)
        self._used += len(content)

    def _sweep(self) -> int:
        """Removes what a crash left unfinished, and returns the bytes of all other files."""
        used = 0
        for entry in os.scandir(self.path):
            if entry.name.startswith(".part-"):
                os.unlink(entry.path)
            elif entry.is_file(follow_symlinks=False):
                used += entry.stat(follow_symlinks=False).st_size
        return used


def opened(folder: Path, sha256: str, media_type: str) -> tuple[BinaryIO, str] | None:
    """Returns (file, media type by its content) of a kept image; None where it is gone, or its content has changed."""
    ending = {kind: ending for _, ending, kind in TYPES} | {"image/webp": "webp"}
    name = f"{sha256}.{ending.get(media_type, '')}"
    try:
        file = open(os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")  # noqa: SIM115 the caller's
    except OSError:
        return None
    if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
        file.close()
        return None
    file.seek(0)
    found = _type(file.read(16))[1]
    file.seek(0)
    return file, found


def _type(content: bytes) -> tuple[str, str]:
    """Returns the ending and the media type that the content itself shows. Raises Gone for what is no image."""
    for magic, ending, media_type in TYPES:
        if content.startswith(magic):
            return ending, media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp", "image/webp"
    raise Gone("not an image of a type that is known")
