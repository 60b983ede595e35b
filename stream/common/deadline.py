"""A process that ends soon after SIGTERM or Ctrl-C, whatever it is stuck in."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

READ_S: Final = 1.5
"""How long after the signal those who read standard output and standard error may take."""
END_S: Final = 4.2
"""How long after it the process ends at the latest."""
RECHECK_S: Final = 0.2
PARENT_CHECK_S: Final = 1.0
ENDING: Final = (signal.SIGINT, signal.SIGTERM)


def end_in_time() -> None:
    """From here on, let this process end within five seconds of SIGTERM and SIGINT; for its main thread, once.

    The signals' handlers end it as they do. What is printed and not read is given up after a while; what is not done
    some four seconds after the signal never will be, because SIGALRM ends the process.
    """
    # Else a signal of a forked process would come here.
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
    signal.signal(signal.SIGURG, _ignore)
    _start(_end_soon, "whoplays-deadline")


def end_with_parent() -> None:
    """From here on, let this process end when the one that has started it does, however that ends."""
    threading.Thread(target=_follow_parent, args=(os.getppid(),), name="whoplays-parent", daemon=True).start()


def _follow_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)


@contextlib.contextmanager
def signal_thread(act: Callable[[int], None], name: str) -> Iterator[None]:
    """Call `act` with the number of each signal that has a handler, in a thread of that name.

    It does so even while the main thread is in native code, where no handler runs. For the main thread.
    """
    thread, wakeup, before = _start(act, name)
    left = False
    try:
        yield
        left = True
    finally:
        signal.set_wakeup_fd(before)
        os.close(wakeup)
        # Leaving by an exception, such as a second Ctrl-C, does not wait for what the first one began.
        if left:
            thread.join()


def _start(act: Callable[[int], None], name: str) -> tuple[threading.Thread, int, int]:
    """The thread, what ends it when it is closed, and where signals are told that were told to another before."""
    signals, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    before = signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)

    def work() -> None:
        with os.fdopen(signals, "rb", buffering=0) as pipe:
            while numbers := pipe.read(64):
                if before >= 0:
                    os.write(before, numbers)
                for number in numbers:
                    act(number)

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread, wakeup, before


def _end_soon(number: int) -> None:
    if number not in ENDING:
        return
    # By the kernel, which does so even if no thread of Python's runs any more.
    signal.setitimer(signal.ITIMER_REAL, END_S)
    time.sleep(READ_S)
    while True:
        if [_unread(descriptor) for descriptor in (1, 2)] != [False, False]:
            _interrupt_writes()
        time.sleep(RECHECK_S)


def _unread(descriptor: int) -> bool:
    """Whether nobody reads what is printed; then nobody waits for it any more."""
    with contextlib.suppress(OSError, ValueError):
        if not select.select([], [descriptor], [], 0)[1]:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            return True
    return False


def _interrupt_writes() -> None:
    """Let every write that waits begin again."""
    for thread in threading.enumerate():
        if thread.ident is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pthread_kill(thread.ident, signal.SIGURG)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """A handler, because only a signal with one interrupts a write."""
