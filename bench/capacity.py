"""How many streams a daemon carries on this machine, what runs out then, and whether it recovers."""

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Final

import numpy as np

from whoplays.bench.conditions import Hardware, command_line, current_conditions, load_average
from whoplays.bench.latency import MAX_STREAMS
from whoplays.bench.load import Load, LoadRun, run_load
from whoplays.bench.results import CapacityResult, CapacityStep, summarize
from whoplays.bench.senders import PACKET_S, PACKETS_MS
from whoplays.models.errors import OptionError, WhoplaysError, require_between
from whoplays.stream.common.terminal import note
from whoplays.stream.pipeline.options import WINDOW_S

MIN_HOP_S: Final = 0.01
BUDGET_MS: Final = (1.0, 60_000.0)
SECONDS: Final = (3.0, 3600.0)
SOURCES: Final = ("rtp", "zmq")
RECOVERY_S: Final = 15.0
"""So long after an overload some of the streams go on."""
OTHERS_SHARE: Final = 0.25
"""Of all cores: so much is more than a subscriber needs."""
ATTEMPTS: Final = 2
"""A number of streams fails if it does so often in a row: what else the machine does may disturb one run."""
FULL_SHARE: Final = 0.95
"""Of a core, a thread or the memory: what uses more of it has used it up."""


def measure_capacity(
    model: str,
    source: str,
    hop_s: float,
    budget_ms: float,
    *,
    start: int = 16,
    seconds: float = 9.0,
    resolution: float = 0.1,
    packet_s: float = PACKET_S,
    provider: str | None = None,
) -> CapacityResult:
    """Search the most streams of which nothing is lost, and whose p99 of latency is within a budget.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        source: the kind of source.
        hop_s: seconds from the start of one window to the next.
        budget_ms: of the time from when a window's last sample is due until it is received.
        start: the first number of streams.
        seconds: how long each number is tried.
        resolution: how near the most streams and the fewest that are too many may be left, as a share.
        packet_s: how much audio is sent at once.
        provider: the onnxruntime provider, or None for the best that runs.

    Raises:
        WhoplaysError: an option is out of range, or the model cannot be run.
    """
    if source not in SOURCES:
        raise OptionError(f"source must be one of {', '.join(SOURCES)}, got {source}")
    require_between("hop", hop_s, MIN_HOP_S, WINDOW_S, "s")
    require_between("budget", budget_ms, *BUDGET_MS)
    require_between("start", start, 1, MAX_STREAMS)
    require_between("seconds", seconds, *SECONDS)
    require_between("packet_ms", packet_s * 1000, *PACKETS_MS)
    load, before = Load(model, provider, source, hop_s, packet_s), load_average()
    steps: list[CapacityStep] = []
    runs: list[LoadRun] = []
    windows = windows_in(seconds, hop_s)

    def passes(streams: int) -> bool:
        for _ in range(ATTEMPTS):
            runs[:] = [run_load(load, [windows] * streams)]
            steps.append(make_step(runs[0], streams, windows, budget_ms))
            note(f"{streams} streams: {_words(steps[-1])}")
            if steps[-1].passed:
                return True
        return False

    most, too_many = search_most(passes, start, MAX_STREAMS, resolution)
    conditions = current_conditions(runs[0].status.model, runs[0].status.provider, before)
    recover = partial(recovery_s, load, most, windows, budget_ms)
    return CapacityResult(
        command=command_line(
            "capacity",
            model=model,
            source=source,
            hop=hop_s,
            budget=budget_ms,
            start=start,
            seconds=seconds,
            packet_ms=packet_s * 1000 if packet_s != PACKET_S else None,
            provider=provider,
        ),
        conditions=conditions,
        source=source,
        hop_s=hop_s,
        budget_ms=budget_ms,
        packet_ms=packet_s * 1000,
        most_streams=most,
        ran_out=_reason(steps, too_many, conditions.hardware, budget_ms),
        recovery_s=recover() if too_many and most > 1 else None,
        steps=tuple(sorted(steps, key=lambda step: step.streams)),
    )


def _reason(steps: list[CapacityStep], too_many: int | None, hardware: Hardware, budget_ms: float) -> str:
    failed = [step for step in steps if step.streams == too_many]
    return what_ran_out(failed[-1], hardware, budget_ms) if failed else "nothing"


def windows_in(seconds: float, hop_s: float) -> int:
    """How many windows of a stream close in a time; at least two.

    >>> windows_in(9.0, 3.0), windows_in(9.0, 0.1)
    (3, 61)
    """
    return max(2, int((seconds - WINDOW_S) / hop_s + 1e-9) + 1)


def search_most(passes: Callable[[int], bool], start: int, most: int, resolution: float) -> tuple[int, int | None]:
    """The largest number that passes: doubled until one fails, then bisected.

    Args:
        passes: whether a number passes; once one fails, larger ones are taken to fail.
        start: the first number, from 1.
        most: the largest.
        resolution: how near the two may be left, as a share of the smaller.

    Returns:
        The largest that passed, 0 if none did; and the smallest that failed, None if none did.

    >>> search_most(lambda number: number <= 150, 16, 1000, 0.01)
    (150, 151)
    """
    low, high = 0, start
    while passes(high):
        if high == most:
            return most, None
        low, high = high, min(2 * high, most)
    while high - low > max(1, resolution * low):
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low, high


def make_step(run: LoadRun, streams: int, windows: int, budget_ms: float) -> CapacityStep:
    """What came of a run of so many streams, each of so many windows.

    Raises:
        WhoplaysError: no window was received.
    """
    if not run.windows:
        raise WhoplaysError(f"none of the windows of {streams} streams was received")
    latency_ns = [each.received_ns - each.due_ns for each in run.windows]
    latency, lost = summarize(latency_ns), streams * windows - len(run.windows)
    late_ms = float(np.percentile([each.sent_ns - each.due_ns for each in run.windows], 99)) / 1e6
    return CapacityStep(
        streams=streams,
        latency=latency,
        samples_us=[round(each / 1000) for each in latency_ns],
        lost_windows=lost,
        overload=run.overload,
        lost_samples=run.lost_samples,
        sender_late_ms=round(late_ms, 3),
        usage=run.usage,
        passed=latency.p99_ms <= budget_ms and not (lost or run.overload or run.lost_samples),
    )


def what_ran_out(step: CapacityStep, hardware: Hardware, budget_ms: float) -> str:
    """Why a step failed, by what was used up."""
    usage = step.usage
    if usage.sender >= FULL_SHARE or step.sender_late_ms > budget_ms / 2:
        return (
            f"the sender ({usage.sender:.2f} cores, p99 {step.sender_late_ms:.1f} ms late): the daemon may carry more"
        )
    if usage.available_mib < (1 - FULL_SHARE) * 1024 * hardware.memory_gib:
        return f"memory ({usage.rss_mib:.0f} MiB of the daemon, {usage.available_mib:.0f} MiB left)"
    if usage.busiest_thread >= FULL_SHARE:
        return f"one thread of the daemon, or the GIL that it holds ({usage.busiest_thread:.2f} of a core)"
    others = usage.machine - usage.daemon - usage.sender
    if others > OTHERS_SHARE * hardware.cores:
        return f"nothing of the daemon: other processes took {others:.2f} of {hardware.cores} cores meanwhile"
    if usage.machine >= FULL_SHARE * hardware.cores:
        shares = f"daemon {usage.daemon:.2f}, sender {usage.sender:.2f}"
        return f"CPU ({usage.machine:.2f} of {hardware.cores} cores: {shares})"
    return f"no resource as a whole ({usage.machine:.2f} of {hardware.cores} cores): threads wait for the GIL or a lock"


def recovery_s(load: Load, most: int, windows: int, budget_ms: float) -> float | None:
    """How long after an overload of twice the most streams half of them are late or lose windows.

    Returns:
        0 if none is; None if some still are at the end.
    """
    staying, after = max(1, most // 2), ceil(RECOVERY_S / load.hop_s)
    streams = min(2 * most, MAX_STREAMS)
    note(f"overloading with {streams} streams, of which {staying} go on")
    run = run_load(load, [windows + after] * staying + [windows] * (streams - staying))
    latency_ms = {
        each: (times.received_ns - times.due_ns) / 1e6 for each, times in zip(run.numbers, run.windows, strict=True)
    }
    over_ns = max(schedule.last_due_ns for schedule in run.schedules[staying:])
    due = sorted(
        (schedule.due_ns(end), latency_ms.get((stream, number), float("inf")))
        for stream, schedule in enumerate(run.schedules[:staying])
        for number, end in enumerate(schedule.window_ends)
    )
    late_ns = [due_ns for due_ns, took_ms in due if due_ns > over_ns and took_ms > budget_ms]
    if not late_ns:
        return 0.0
    return None if late_ns[-1] == due[-1][0] else round((late_ns[-1] - over_ns) / 1e9, 2)


def _words(step: CapacityStep) -> str:
    lost = f"{step.lost_windows} windows and {step.lost_samples} samples lost"
    return f"p99 {step.latency.p99_ms:.0f} ms, {lost}: {'passed' if step.passed else 'failed'}"
