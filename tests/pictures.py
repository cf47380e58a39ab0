"""Draws the README's pictures from a real run: ``make pictures``. A tool, no test.

A demo's database of its own; two commands in a terminal, and what stands there afterwards; some
cycles more, and the report about them as chromium shows it.
"""

import fcntl
import os
import pty
import re
import socket
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from etl.embedded import EmbeddedServer
from tests.conftest import REPOSITORY

_WIDTH = 104
_COMMANDS = (
    ("datamart-users", "--max-users", "2000", "--workers", "2"),
    ("verify", "datamart-users"),
)
_SVG = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px Menlo, Consolas, "DejaVu Sans Mono", monospace;
  line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""As rich draws it, without the font that it would load from elsewhere."""


def etl(arguments: Sequence[str], environment: dict[str, str]) -> None:
    """Run a command, of which nothing is shown."""
    command = [sys.executable, "-m", "etl", *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def photograph(page: Path, picture: Path) -> None:
    """What a browser shows of a page."""
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1200,1380",
         f"--screenshot={picture}", page.as_uri()],
        check=True, capture_output=True,
    )  # fmt: skip


def on_terminal(arguments: list[str], environment: dict[str, str]) -> bytes:
    """What a command writes to a terminal."""
    terminal, its_end = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, _WIDTH, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-m", "etl", *arguments],
        stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True,
        env=environment, cwd=REPOSITORY,
    )  # fmt: skip
    os.close(its_end)
    written = b""
    try:
        while piece := os.read(terminal, 1 << 16):
            written += piece
    except OSError:  # the end, as a terminal has it
        pass
    child.wait()
    os.close(terminal)
    return written


def left_on_screen(written: bytes) -> list[str]:
    """The lines that stand there in the end; of a bar, as it was drawn last."""
    lines = [""]
    for piece in re.split(r"(\n|\x1b\[2K)", written.decode()):
        if piece == "\n":
            lines.append("")
        elif piece == "\x1b[2K":
            lines[-1] = ""
        else:
            lines[-1] += re.sub(r"\r|\x1b\[\?25[hl]", "", piece)
    return lines[:-1]


def main() -> None:
    """Draw them into docs/pictures."""
    pictures = REPOSITORY / "docs" / "pictures"
    pictures.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="etl-") as state:
        environment = {**os.environ, "ETL_STATE_DIR": state, "TERM": "xterm-256color"}
        environment |= {"COLORTERM": "truecolor", "PYTHONPATH": str(REPOSITORY)}
        etl(("demo",), environment)
        console = Console(width=_WIDTH, record=True, file=StringIO(), force_terminal=True)
        for arguments in _COMMANDS:
            console.print(Text.assemble(("$ ", "bold green"), " ".join(("etl", *arguments))))
            for line in left_on_screen(on_terminal([*arguments], environment)):
                if "embedded server" not in line:
                    console.print(Text.from_ansi(line), soft_wrap=True)
        page = Path(state, "report.html")
        for most in range(900, 3300, 300):
            etl(("datamart-users", "--max-users", str(most), "--workers", "2"), environment)
        etl(("report", "datamart-users", "-o", str(page)), environment)
        told = re.sub(r"(the embedded server) in [^,]+", r"\1", page.read_text())
        page.write_text(told.replace(f" on {socket.gethostname()}.", "."))
        photograph(page, pictures / "report.png")
        EmbeddedServer.of(Path(state), environment).stop()
    picture = console.export_svg(title="etl", theme=MONOKAI, code_format=_SVG, unique_id="etl")
    (pictures / "cycle.svg").write_text(picture)


if __name__ == "__main__":
    main()
