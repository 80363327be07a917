"""Carries out the steps of an installation; each can be done twice, and says what it did."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from listener.base.errors import ListenError

SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The user and the group that own a file, by name; None stands for whoever installs."""

    user: str | None = None
    group: str | None = None

    def give(self, path: Path) -> None:
        if self.user or self.group:
            shutil.chown(path, self.user, self.group)  # type: ignore[arg-type]  # one of them may be None


ME = Owner()


@dataclass(frozen=True, kw_only=True)
class Directory:
    path: Path
    mode: int
    owner: Owner = ME

    def do(self) -> str:
        made = not self.path.is_dir()
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(self.mode)
        self.owner.give(self.path)
        return f"{'made' if made else 'there is'} {self.path} ({self.mode:04o})"


@dataclass(frozen=True, kw_only=True)
class File:
    """A file to write. With `keep`, an existing one is somebody's work: only its mode and owner are corrected."""

    path: Path
    text: str
    mode: int
    owner: Owner = ME
    keep: bool = False

    def do(self) -> str:
        before = self.path.read_text(encoding="utf-8") if self.path.exists() else None
        unchanged = before is not None and (self.keep or before == self.text)
        if not unchanged:
            self._write()
        self.path.chmod(self.mode)
        self.owner.give(self.path)
        return f"{'left' if unchanged else 'wrote'} {self.path} ({self.mode:04o})"

    def _write(self) -> None:
        """Writes the file whole or not at all, and never readable by more users than it should be."""
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        with open(fresh, "x", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(self.text)
        fresh.replace(self.path)


@dataclass(frozen=True)
class Absent:
    """A file to remove."""

    path: Path

    def do(self) -> str:
        was_there = self.path.exists()
        self.path.unlink(missing_ok=True)
        return f"{'removed' if was_there else 'there is no'} {self.path}"


@dataclass(frozen=True)
class Command:
    """A program to run.

    `needs_systemd`: it is left out where `running`, the sign of systemd, does not exist, as in a chroot.
    `may_fail`: an exit code is no failure, as where it was done before.
    """

    argv: tuple[str, ...]
    needs_systemd: bool = True
    may_fail: bool = False
    running: Path = field(default=SYSTEMD, repr=False)

    def do(self) -> str:
        line = " ".join(self.argv)
        if self.needs_systemd and not self.running.exists():
            return f"left out, since systemd does not run here: {line}"
        done = subprocess.run(self.argv, capture_output=True, text=True, check=False)  # noqa: S603 our own arguments
        if done.returncode and not self.may_fail:
            raise ListenError(f"{line}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        return f"ran {line}"


InstallStep = Directory | File | Absent | Command


def carry_out(steps: list[InstallStep], tell: Callable[[str], None]) -> None:
    """Carries out the steps one after the other, and tells of each. Raises ListenError."""
    for step in steps:
        try:
            tell(step.do())
        except (OSError, LookupError) as e:
            raise ListenError(f"{step}: {e}", hint="what was done so far stays; run it again once that is fixed") from e
