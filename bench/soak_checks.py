"""What a soak requires of the daemon, check by check."""

import threading
from collections.abc import Iterator, Sequence
from statistics import median
from types import TracebackType
from typing import Final, NamedTuple, Self

import psutil

from whoplays.bench.processes import stream_name
from whoplays.bench.results import SoakCheck
from whoplays.bench.senders import BLOCK_SAMPLES, RtpSender
from whoplays.bench.stream_audit import AuditLog
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.daemon.stream_config import StreamConfig
from whoplays.stream.pubsub.subscriber import Subscriber

SCHEDULE_TOLERANCE_S: Final = 2.0
"""How far a stream may be off the schedule on a busy machine, in addition to the sender's own delay."""
INFERENCE_S: Final = 2.0
"""How long the inference of a window may take after it has waited as long as it may."""
MEMORY_GROWTH: Final = 0.03
MEMORY_GROWTH_BYTES: Final = 8 << 20
FILES_GROWTH: Final = 2
MIB: Final = 1 << 20
SAMPLING_S: Final = 1.0
MIN_SAMPLES: Final = 60
"""Growth in a run with fewer resource samples is not checked: rings and caches still fill."""


class ResourceSample(NamedTuple):
    """What a process and its children hold at one moment."""

    rss_bytes: int
    files: int
    """Open file descriptors."""


class ResourceMonitor:
    """Samples the resources of a process once a second, from `__enter__` to `__exit__` or to its end.

    Args:
        pid: the process.
    """

    def __init__(self, pid: int) -> None:
        self.samples: Final[list[ResourceSample]] = []
        self._pid: Final = pid
        self._stopping: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="whoplays-resource-monitor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(SAMPLING_S):
            sample = sample_resources(self._pid)
            # A process that exits holds no memory first, and a moment later no files.
            if not all(sample):
                return
            self.samples.append(sample)


def sample_resources(pid: int) -> ResourceSample:
    """What a process and its children hold now; nothing if it has exited."""
    samples = [_sample(process) for process in process_tree(pid)]
    return ResourceSample(sum(each.rss_bytes for each in samples), sum(each.files for each in samples))


def process_tree(pid: int) -> list[psutil.Process]:
    """A process and its children, and theirs; empty if it has exited."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _sample(process: psutil.Process) -> ResourceSample:
    try:
        return ResourceSample(process.memory_info().rss, process.num_fds())
    except psutil.Error:  # it has exited since
        return ResourceSample(0, 0)


class Growth(NamedTuple):
    """The medians of the second and of the last third of a run."""

    before: float
    after: float


def growth(values: Sequence[int]) -> Growth | None:
    """How a value grew from the second third of a run to the last; None if the run was too short."""
    third = len(values) // 3
    if len(values) < MIN_SAMPLES:
        return None
    return Growth(median(values[third : 2 * third]), median(values[2 * third :]))


def check_accounting(audit: AuditLog, subscriber: Subscriber, sender: RtpSender, streams: int) -> Iterator[SoakCheck]:
    """Whether every sample is accounted for, however slow the machine is."""
    sessions = audit.sessions.values()
    yield _none("samples in no window and no gap", audit.uncovered)
    yield _none(f"mismatches in {audit.statuses} statuses", audit.mismatches)
    yield _at_most("messages lost", subscriber.lost + sum(session.dropped_messages for session in sessions), 0)
    yield _at_most("sessions", len(sessions), streams)
    missing = sum(abs(sender.samples - session.elapsed_samples) for session in sessions)
    yield _at_most(f"samples not elapsed, of {sender.samples} sent to each stream", missing, 0)
    withheld = sum(sender.withheld) * BLOCK_SAMPLES
    lost = sum(session.concealed_samples for session in sessions)
    yield SoakCheck(
        name="samples in network gaps", found=str(lost), allowed=f"{withheld} or more", passed=lost >= withheld
    )
    dropped = sum(session.dropped_windows for session in sessions)
    windows = sum(session.windows for session in sessions)
    overload = sum(session.overload_samples for session in sessions)
    found = f"{dropped} ({overload} samples)"
    yield SoakCheck(name=f"windows dropped ({windows} recognised)", found=found, allowed="any, in gaps", passed=None)


def check_timing(audit: AuditLog, sender: RtpSender) -> Iterator[SoakCheck]:
    """Whether the streams keep up with the sender, and results with the streams."""
    error_s, delay_s = audit.schedule_error / SAMPLE_RATE_HZ, sender.max_delay_ns / 1e9
    yield SoakCheck(
        name=f"largest error against the schedule (sender: {delay_s:.2f} s)",
        found=f"{error_s:+.2f} s",
        allowed=f"±{SCHEDULE_TOLERANCE_S + delay_s:.2f} s",
        passed=abs(error_s) <= SCHEDULE_TOLERANCE_S + delay_s,
    )
    lag_s = max(audit.lags_ns, default=0) / 1e9
    allowed_s = StreamConfig(name="", source="").max_lag_s + INFERENCE_S
    yield SoakCheck(name="longest lag", found=f"{lag_s:.2f} s", allowed=f"{allowed_s:g} s", passed=lag_s <= allowed_s)


def check_growth(samples: Sequence[ResourceSample]) -> Iterator[SoakCheck]:
    """Whether the daemon holds more and more."""
    memory = growth([sample.rss_bytes for sample in samples])
    allowed = max(MEMORY_GROWTH_BYTES, MEMORY_GROWTH * (memory.before if memory else 0))
    yield _grows("memory, MiB", memory, allowed, MIB)
    yield _grows("open files", growth([sample.files for sample in samples]), FILES_GROWTH, 1)


def check_exit(audit: AuditLog, code: int | None, streams: int) -> Iterator[SoakCheck]:
    """Whether the daemon ends its streams and exits on SIGTERM."""
    missing = {stream_name(stream) for stream in range(streams)} - audit.ended
    yield _at_most("streams without an end message", len(missing), 0)
    found = "it did not exit" if code is None else str(code)
    yield SoakCheck(name="exit code after SIGTERM", found=found, allowed="0", passed=code == 0)


def _none(name: str, faults: Sequence[str]) -> SoakCheck:
    found = f"{len(faults)}, first: {faults[0]}" if faults else "0"
    return SoakCheck(name=name, found=found, allowed="0", passed=not faults)


def _at_most(name: str, found: int, allowed: int) -> SoakCheck:
    return SoakCheck(name=name, found=str(found), allowed=str(allowed), passed=found <= allowed)


def _grows(name: str, found: Growth | None, allowed: float, unit: int) -> SoakCheck:
    if found is None:
        return SoakCheck(name=name, found="run too short", allowed="", passed=None)
    more = found.after - found.before
    words = f"{found.before / unit:.0f}, then {found.after / unit:.0f} ({more / unit:+.1f})"
    return SoakCheck(name=name, found=words, allowed=f"+{allowed / unit:.1f}", passed=more <= allowed)
