"""The way of a sample: the modules that are called from the arrival of an RTP packet to a ZeroMQ message."""

import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from whoplays.bench import call_trace
from whoplays.bench.processes import logged_endpoint, publishing
from whoplays.bench.senders import HOST, RtpSender, free_ports
from whoplays.models.errors import DataError
from whoplays.stream.pubsub.messages import Window
from whoplays.stream.pubsub.subscriber import Subscriber

HOP_S: Final = 0.5
WINDOWS: Final = 5
"""So many are followed; what is called for most of them is the way, other work of the same threads is not."""
RECEIVING_NS: Final = 150_000_000
"""So long before its inference the last packets of a window are followed: longer than the jitter buffer holds them."""
_BESIDE: Final = re.compile(r"/(cli|daemon|history|metrics|security|serve)/")
"""Folders that no sample passes, though the same threads call them."""
_SOCKET: Final = re.compile(r"rtp/sockets?\.py$")
_RING: Final = re.compile(r"/ring\.py$")
_RECOGNIZER: Final = re.compile(r"/recognizer\.py$")


class Call(NamedTuple):
    """A call from one module to another."""

    at_ns: int
    """Monotonic time."""
    thread: int
    caller: str
    """Path of the module; empty where a thread starts."""
    callee: str
    resumes: bool
    """Whether it resumes a generator: what that yields goes on to the caller, so it is no step back."""


class HotPath(NamedTuple):
    """Modules in the order of their first call, and calls from a later one to an earlier one."""

    modules: tuple[str, ...]
    turns: tuple[tuple[str, str], ...]


def trace_hot_path(tree: Path) -> HotPath:
    """Run `whoplays serve` of a checkout on RTP from this process, and follow the calls for one window.

    Args:
        tree: the checkout; the packages of its extra `cpu` must be installed for this Python.

    Raises:
        WhoplaysError: it does not publish windows.
    """
    with TemporaryDirectory(prefix="whoplays-trace-") as folder:
        (port,) = free_ports(1)
        config, calls = Path(folder, "trace.toml"), Path(folder, "calls.json")
        source = f'[[stream]]\nname = "hall"\nsource = "rtp://{HOST}:{port}"\nhop_s = {HOP_S}\nprovider = "cpu"\n'
        config.write_text(f'publish = "tcp://127.0.0.1:*"\n{source}', encoding="utf-8")
        command = [sys.executable, call_trace.__file__, str(tree), str(calls), "serve", str(config), "--json"]
        with publishing(command, Path(folder), logged_endpoint) as daemon:
            received_ns = list(_receive_windows(daemon.endpoint, port))
            daemon.terminate()
            daemon.wait()
        trace = [Call(*call) for call in json.loads(calls.read_bytes())]
    return common_path([calls_of_window(trace, at_ns) for at_ns in received_ns])


def common_path(windows: Sequence[Sequence[Call]]) -> HotPath:
    """What the calls of most windows have in common."""
    counts = Counter(step for calls in windows for step in {(call.caller, call.callee) for call in calls})
    common = {step for step, times in counts.items() if 2 * times > len(windows)}
    calls = [call for window in windows for call in window if (call.caller, call.callee) in common]
    order = list(dict.fromkeys(module for call in calls for module in (call.caller, call.callee) if module))
    steps = dict.fromkeys((call.caller, call.callee) for call in calls if call.caller and not call.resumes)
    turns = [(caller, callee) for caller, callee in steps if order.index(callee) < order.index(caller)]
    return HotPath(tuple(module for module in order if module != call_trace.SEND), tuple(turns))


def calls_of_window(calls: Sequence[Call], received_ns: int) -> list[Call]:
    """The calls from the arrival of a window's last packets to the sending of its message.

    Those of the thread that receives come first, then, from its last writing into the ring on, those of the others.

    Args:
        calls: in all threads, in order of time.
        received_ns: monotonic time at which the window was received.

    Raises:
        DataError: no window was recognised and sent before.
    """
    passed = [call for call in calls if not (_BESIDE.search(call.caller) or _BESIDE.search(call.callee))]
    before = [call for call in passed if call.at_ns < received_ns]
    recognized_ns = max((call.at_ns for call in before if _RECOGNIZER.search(call.callee)), default=0)
    sent_ns = max((call.at_ns for call in before if call.callee == call_trace.SEND), default=0)
    # Another thread may look at the address before.
    receivers = Counter(call.thread for call in before if _SOCKET.search(call.callee))
    receiving = max(receivers, key=receivers.__getitem__, default=0)
    received = [
        call
        for call in before
        if call.thread == receiving and recognized_ns - RECEIVING_NS <= call.at_ns < recognized_ns
    ]
    arrived_ns = min((call.at_ns for call in received if _SOCKET.search(call.callee)), default=0)
    written_ns = max((call.at_ns for call in received if _RING.search(call.callee)), default=0)
    if not written_ns or sent_ns < recognized_ns:
        raise DataError("no packet was followed to a message; does whoplays serve receive RTP?")
    return [
        *(call for call in received if arrived_ns <= call.at_ns <= written_ns),
        *(call for call in before if call.thread != receiving and written_ns <= call.at_ns <= sent_ns),
    ]


def _receive_windows(endpoint: str, port: int) -> Iterator[int]:
    """Send RTP until enough windows were received; of each the monotonic time in ns."""
    with Subscriber(endpoint) as subscriber, RtpSender([port], loss=0.0) as sender:
        next(subscriber)
        time.sleep(1.0)  # its socket is open then
        sender.start()
        windows = (item for item in subscriber if isinstance(item, Window))
        for _ in itertools.islice(windows, WINDOWS):
            yield time.monotonic_ns()
