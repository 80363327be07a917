"""What a user's program sees of our types."""

import subprocess
import sys
from pathlib import Path

import pytest

import listener

PROGRAM = """
from pathlib import Path
from listener.event import parse
from listener.journal import Journal

reveal_type(parse(b"").event_id)
Journal(7, keep_s="soon", max_size=1)
"""


@pytest.mark.slow
def test_mypy_of_a_users_program_sees_our_types(tmp_path: Path) -> None:
    assert (Path(listener.__file__).parent / "py.typed").is_file()
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert 'Revealed type is "str"' in done.stdout.replace("builtins.str", "str")
    assert 'incompatible type "int"; expected "Path"' in done.stdout
    assert "untyped" not in done.stdout
