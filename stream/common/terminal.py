"""How a command meets its terminal: text of others, notes on standard error, interruptions, a reader that leaves."""

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Final

from whoplays.stream.common.deadline import ENDING, signal_thread
from whoplays.stream.common.uri import clean

REPEAT_S: Final = 1.0


def note(text: str) -> None:
    """Write a line beside the results, on standard error; whether it can be written makes no difference."""
    with suppress(OSError):
        print(f"whoplays: {printable(clean(text))}", file=sys.stderr)


def printable(text: str) -> str:
    r"""A text that may come from others, in one line: what would control the terminal is shown as an escape.

    >>> print(printable("hall\x1b[2J\nstage"))
    hall\x1b[2J\nstage
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def open_standard_streams() -> None:
    """Open what the caller has closed, and let no terminal's encoding end the process.

    Otherwise the next file or socket would be given the number of a closed one, and be written into.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w" if number else "r", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM call `stop`, in a thread of its own; a Ctrl-C a second later interrupts at once."""
    interrupts_from_s = float("inf")

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal interrupts_from_s
        now_s = time.monotonic()
        if number == signal.SIGINT and now_s >= interrupts_from_s:
            raise KeyboardInterrupt
        # What comes at once is the same wish, by a terminal and by a parent, and leaves time for the last messages.
        interrupts_from_s = min(interrupts_from_s, now_s + REPEAT_S)

    def act(number: int) -> None:
        if number in ENDING:
            stop()

    before = {number: signal.signal(number, on_signal) for number in ENDING}
    try:
        with signal_thread(act, "whoplays-stop"):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signal_safe(act: Callable[[], object], name: str) -> Iterator[Callable[[], None]]:
    """A function that a signal handler may call to have `act` called, in a thread of that name.

    A handler itself must take no lock: the code that it interrupts may hold it, and continues only afterwards.
    """
    # Unlike an event, this queue may be put into by a handler that interrupts another `put`.
    asked: SimpleQueue[bool] = SimpleQueue()

    def work() -> None:
        while asked.get():
            act()

    # Leaving by an exception, such as a second Ctrl-C, does not wait for what the first one began.
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    left = False
    try:
        yield lambda: asked.put(True)
        left = True
    finally:
        asked.put(False)
        if left:
            thread.join()


def exit_on_interrupt(code: int = 130) -> None:
    """Let Ctrl-C end this process at once, until a verb handles it in its own way.

    While modules are imported and a source is opened, a KeyboardInterrupt may arise within a library's callback, which
    swallows it. There is nothing to clean up then.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"whoplays: stopped\n")
        os._exit(code)

    signal.signal(signal.SIGINT, leave)


@contextmanager
def end_on_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block quietly, wherever it is."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """End the block quietly when nobody reads standard output any more, as with `| head`."""
    try:
        yield
    except BrokenPipeError:
        # Python flushes standard output once more as it exits, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
