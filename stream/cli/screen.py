"""A terminal's alternate screen: lines that are redrawn where they changed, and keys."""

import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr
from io import TextIOBase
from typing import Final, Literal, TextIO

from rich.cells import cell_len, set_cell_size

from whoplays.stream.common.terminal import printable

Key = Literal["up", "down"]
Style = Literal["plain", "bold", "green", "grey", "yellow", "reverse"]
_STYLES: Final[dict[Style, str]] = {
    "plain": "",
    "bold": "\x1b[1m",
    "green": "\x1b[1;32m",
    "grey": "\x1b[90m",
    "yellow": "\x1b[33m",
    "reverse": "\x1b[1;7m",
}
_KEYS: Final[dict[bytes, Key]] = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"k": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"j": "down",
    b"\t": "down",
}
_OPEN: Final = "\x1b[?1049h\x1b[?25l\x1b[2J"
_CLOSE: Final = "\x1b[?25h\x1b[?1049l"

Piece = tuple[str, Style]
Line = Sequence[Piece]


class Screen:
    """Draws on a terminal; on what is none, nothing is drawn until the last frame.

    Args:
        out: the terminal.
        on_note: is called with each line that is written to standard error meanwhile.
    """

    def __init__(self, out: TextIO, on_note: Callable[[str], None]) -> None:
        self._out: Final = out
        self._on_note: Final = on_note
        self._drawn: list[str] = []
        self._size = (0, 0)
        self._colours: Final = out.isatty() and "NO_COLOR" not in os.environ
        self._keyboard: int | None = None
        self.paused = False
        """Set to write nothing more: the terminal takes nothing."""

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        found = os.get_terminal_size(self._out.fileno()) if self._out.isatty() else os.terminal_size((0, 0))
        # A terminal that does not know its size says 0.
        found = found if all(found) else shutil.get_terminal_size()
        return found.columns, found.lines

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Use the alternate screen; what stood on the terminal before is back afterwards."""
        if not self._out.isatty():
            yield
            return
        with ExitStack() as stack:
            if sys.stderr.isatty():
                stack.enter_context(redirect_stderr(_Lines(self._on_note)))
            stack.enter_context(self._keys_read())
            self._write(_OPEN)
            stack.callback(self._write, _CLOSE)
            yield

    def wait_for_key(self, timeout_s: float) -> Key | None:
        """The key that is pressed within a time; None if that is none of ours."""
        if self._keyboard is None:
            select.select([], [], [], timeout_s)
            return None
        if not select.select([self._keyboard], [], [], timeout_s)[0]:
            return None
        pressed = os.read(self._keyboard, 64)
        if not pressed:  # the terminal is gone
            self._keyboard = None
        return next((key for code, key in _KEYS.items() if pressed.endswith(code)), None)

    @property
    def has_keys(self) -> bool:
        """Whether keys are read: not when another program shall get them."""
        return self._keyboard is not None

    def draw(self, lines: Sequence[Line]) -> None:
        """Make these the lines of the screen; only those that changed are written."""
        if not self._out.isatty():
            return
        if self.size != self._size:
            self._size, self._drawn = self.size, []
            self._write("\x1b[2J")
        columns, rows = self._size
        shown = [self._text(line, columns) for line in lines[:rows]]
        before = self._drawn + [""] * (len(shown) - len(self._drawn))
        shown += [""] * (len(before) - len(shown))
        changes = [
            f"\x1b[{row};1H{new}\x1b[K"
            for row, (old, new) in enumerate(zip(before, shown, strict=True), 1)
            if old != new
        ]
        self._drawn = shown
        if changes:
            self._write("".join(changes))

    def print(self, lines: Sequence[Line]) -> None:
        """Print lines that stay, below what stood there before; after the screen was closed."""
        for line in lines:
            self._out.write(self._text(line, self.size[0]) + "\n")
        self._out.flush()

    def _text(self, line: Line, columns: int) -> str:
        text = ""
        for content, style in line:
            shown = printable(content)
            if cell_len(shown) > columns:
                shown = set_cell_size(shown, columns)
            columns -= cell_len(shown)
            text += f"{_STYLES[style]}{shown}\x1b[0m" if self._colours and style != "plain" else shown
        return text if self._colours else text.rstrip()

    def _write(self, text: str) -> None:
        """Write past Python's buffer: whoever ends while a paused terminal takes nothing need not wait for it."""
        data = b"" if self.paused else text.encode(self._out.encoding, "backslashreplace")
        while data:
            data = data[os.write(self._out.fileno(), data) :]

    @contextmanager
    def _keys_read(self) -> Iterator[None]:
        """Read single keys, if this is the program in the foreground of its terminal."""
        if not _in_foreground():
            yield
            return
        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard)
        tty.setcbreak(keyboard, termios.TCSANOW)
        self._keyboard = keyboard
        try:
            yield
        finally:
            self._keyboard = None
            termios.tcsetattr(keyboard, termios.TCSANOW, before)


def _in_foreground() -> bool:
    try:
        return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # the terminal of another session
        return False


class _Lines(TextIOBase):
    """Standard error while the screen is drawn on."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line: Final = on_line

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if line.strip():
                self._on_line(line)
        return len(text)
