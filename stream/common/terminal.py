"""What a command does beside its results: notes on standard error, interruptions, a reader that leaves."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import FrameType


def note(text: str) -> None:
    """Write a line beside the results, on standard error; whether it can be written makes no difference."""
    with suppress(OSError):
        print(f"whoplays: {text}", file=sys.stderr)


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM call `stop`, in a thread of its own; a second Ctrl-C interrupts at once."""
    with signal_safe(stop, "whoplays-stop") as request_stop:

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            request_stop()

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
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


@contextmanager
def end_on_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block quietly, wherever it is."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """End the block quietly when nobody reads standard output any more, as with `| head`."""
    try:
        yield
    except BrokenPipeError:
        # Python flushes standard output once more as it exits, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
