"""A build backend that needs no package and no network (PEP 517): the wheel of the example plug-in."""

import zipfile
from pathlib import Path

NAME, VERSION = "helpdesk_lines", "1.0"
ENTRY_POINTS = """[helpdesk_listen.sinks]
lines = helpdesk_lines:LINES
[helpdesk_listen.conformance]
lines = helpdesk_lines.end:End
"""


def build_wheel(directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    """Writes the wheel, and returns its name."""
    wheel, info = f"{NAME}-{VERSION}-py3-none-any.whl", f"{NAME}-{VERSION}.dist-info"
    texts = {path.as_posix(): path.read_text(encoding="utf-8") for path in Path(NAME).glob("*.py")}
    texts[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"
    texts[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: example\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    texts[f"{info}/entry_points.txt"] = ENTRY_POINTS
    texts[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*texts, f"{info}/RECORD"])
    with zipfile.ZipFile(Path(directory) / wheel, "w") as file:
        for name, text in texts.items():
            file.writestr(name, text)
    return wheel
