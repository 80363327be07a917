"""Makes the README's animated picture of the demo: `python -m tests.demo_picture`, into .github/pictures/demo.svg.

It runs `helpdesk-listen demo` and draws its lines at the times at which they came, at half the speed, in one SVG
that loads nothing from elsewhere.
"""

import json
import subprocess
import sys
import time
import unicodedata
from html import escape
from pathlib import Path

PICTURE = Path(__file__).parents[1] / ".github" / "pictures" / "demo.svg"
COMMAND = "helpdesk-listen demo | jq -c '[.created_at, .event.sender_type_name, .event.text]'"
HEIGHT, TOP, LONGEST = 22, 52, 92  # pixels a line, pixels above the first, columns of the longest line
STRETCH, REST = 2.0, 4.0  # how much slower than it was; seconds that the end stays
STYLE = """
rect { fill: #f6f8fa; stroke: #d0d7de }
text { font: 14px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
.story { fill: #0a6d3c } .prompt { fill: #59636e }
@media (prefers-color-scheme: dark) {
  rect { fill: #0d1117; stroke: #30363d } text { fill: #e6edf3 } .story { fill: #56d364 } .prompt { fill: #8b949e }
}
@media (prefers-reduced-motion: reduce) { .line { animation: none !important; opacity: 1 !important } }
"""


def main() -> None:
    """Writes the picture."""
    PICTURE.write_text(drawn(run()), encoding="utf-8")


def run() -> list[tuple[float, bool, str]]:
    """Gives (seconds since the start, whether it is of the story, text) of each line of a real run."""
    command = [sys.executable, "-u", "-m", "listener", "demo"]
    begin, lines = time.monotonic(), []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout
        for line in demo.stdout:
            story = not line.startswith("{")
            lines.append((time.monotonic() - begin, story, line.rstrip() if story else shortened(line)))
    return lines


def shortened(line: str) -> str:
    """A record as the command in the picture shows it."""
    record = json.loads(line)
    event = record["event"]
    parts = [record["created_at"], event["sender_type_name"], event["text"]]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def drawn(lines: list[tuple[float, bool, str]]) -> str:
    """The SVG of these lines: each appears at its time, and all begin again at the end."""
    first, last = lines[0][0], lines[-1][0]
    whole = (last - first) * STRETCH + REST
    rows = [
        row(number, (at - first) * STRETCH / whole, whole, story, text)
        for number, (at, story, text) in enumerate(lines)
    ]
    height = TOP + HEIGHT * len(lines) + 8
    body = "\n".join([f'<text class="prompt" x="16" y="28">$ {escape(COMMAND)}</text>', *(part for _, part in rows)])
    frames = "\n".join(part for part, _ in rows)
    size = f'viewBox="0 0 860 {height}" width="860" height="{height}"'
    box = f'<rect x="0.5" y="0.5" width="859" height="{height - 1}" rx="8"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{STYLE}{frames}\n</style>\n{box}\n{body}\n</svg>\n'


def row(number: int, part: float, whole: float, story: bool, text: str) -> tuple[str, str]:
    """Gives (the line's frames, its text): it is hidden until that part of the whole."""
    frames = f"@keyframes l{number} {{ 0%, {part:.2%} {{ opacity: 0 }} {part + 0.0001:.2%}, 100% {{ opacity: 1 }} }}"
    text = text if columns(text) <= LONGEST else cut(text)
    kind = "line story" if story else "line"
    style = f"animation: l{number} {whole:.1f}s linear infinite"
    y = TOP + HEIGHT * number
    return frames, f'<text class="{kind}" style="{style}" x="16" y="{y}">{escape(text)}</text>'


def columns(text: str) -> int:
    """How many columns of a terminal the text takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def cut(text: str) -> str:
    """As much of the text as fits, with a mark that it goes on."""
    while columns(text) >= LONGEST:
        text = text[:-1]
    return text + "…"


if __name__ == "__main__":
    main()
