"""How late windows are received: from when the last sample is due until another process has the message."""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from whoplays.bench.conditions import command_line, current_conditions, load_average
from whoplays.bench.page_clients import MOST_CLIENTS, page_clients
from whoplays.bench.processes import WHOPLAYS, listening
from whoplays.bench.receiver import SubscriberProcess, WindowTimes, window_times
from whoplays.bench.results import LatencyResult, summarize
from whoplays.bench.senders import PACKET_S, PACKETS_MS, Schedule, block_of, send_pcm
from whoplays.models.errors import EndpointError, OptionError, require_between
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.common.terminal import note
from whoplays.stream.pubsub.messages import Status

CUTOFF_S: Final = 10.0
MAX_WINDOWS: Final = 1_000_000
MAX_STREAMS: Final = 1000
PIPE: Final = "pipe"
SOURCES: Final = (PIPE, "rtp", "zmq")
STAGES: Final = ("send", "ingest", "queue", "infer", "publish")
"""From due to sent, to arrived, to the start of inference, to its end, to received."""


class Measured(NamedTuple):
    """What came of one run."""

    status: Status
    windows: list[WindowTimes]
    """Those that were received in time."""
    overload: int
    """How many the publisher gave up."""


def measure_latency(
    model: str,
    windows: int,
    hop_s: float,
    provider: str | None,
    clients: int = 0,
    source: str = PIPE,
    streams: int = 1,
    packet_s: float = PACKET_S,
) -> LatencyResult:
    """Send audio to whoplays by a schedule, and receive in another process what it publishes.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        windows: how many to measure, of each stream.
        hop_s: seconds from the start of one window to the next.
        provider: the onnxruntime provider, or None for the best that runs.
        clients: how many look at the page of it meanwhile.
        source: `pipe` is `whoplays listen -`; `rtp` and `zmq` are `whoplays serve`.
        streams: how many; a pipe is one.
        packet_s: how much audio is sent at once.

    Raises:
        WhoplaysError: an option is out of range, the model cannot be run, or no window was received.
    """
    require_between("windows", windows, 1, MAX_WINDOWS)
    require_between("page_clients", clients, 0, MOST_CLIENTS)
    require_between("streams", streams, 1, MAX_STREAMS)
    require_between("packet_ms", packet_s * 1000, *PACKETS_MS)
    if source not in SOURCES:
        raise OptionError(f"source must be one of {', '.join(SOURCES)}, got {source}")
    if source == PIPE and streams > 1:
        raise OptionError(f"streams must be 1 with a pipe, got {streams}; other sources: {', '.join(SOURCES[1:])}")
    load = load_average()
    if source == PIPE:
        measured = measure_pipe(model, windows, hop_s, provider, clients, packet_s=packet_s)
    else:
        measured = _measure_streams(model, windows, hop_s, provider, clients, source, streams, packet_s)
    samples = stage_samples(measured.windows, windows * streams)
    total = np.sum(list(samples.values()), axis=0)
    return LatencyResult(
        command=command_line(
            "latency",
            model=model,
            windows=windows,
            hop=hop_s,
            source=source if source != PIPE else None,
            streams=streams if streams > 1 else None,
            packet_ms=packet_s * 1000 if packet_s != PACKET_S else None,
            provider=provider,
            page_clients=clients or None,
        ),
        conditions=current_conditions(measured.status.model, measured.status.provider, load),
        source=source,
        streams=streams,
        hop_s=measured.status.hop_samples / SAMPLE_RATE_HZ,
        cutoff_s=CUTOFF_S,
        windows=windows * streams,
        received=len(measured.windows),
        lost=windows * streams - len(measured.windows),
        overload=measured.overload,
        latency=summarize(total),
        stages={stage: summarize(times_ns) for stage, times_ns in samples.items()},
        samples_us={stage: [round(each / 1000) for each in times_ns] for stage, times_ns in samples.items()},
    )


def measure_pipe(
    model: str,
    windows: int,
    hop_s: float,
    provider: str | None,
    clients: int = 0,
    *,
    packet_s: float = PACKET_S,
    whoplays: Sequence[str] = WHOPLAYS,
) -> Measured:
    """Send audio from this process to `whoplays listen -`, and receive in a third what it publishes.

    Args:
        model: as of `measure_latency`, like the others.
        windows: how many.
        hop_s: from one to the next.
        provider: of inference.
        clients: of the page.
        packet_s: how much is written at once.
        whoplays: the command that is measured.
    """
    with (
        listening(model, hop_s, provider, whoplays) as listener,
        SubscriberProcess(listener.endpoint) as subscriber,
        page_clients(listener.endpoint, clients),
    ):
        status = subscriber.status()
        note(f"measuring {windows} windows, one every {status.hop_samples / SAMPLE_RATE_HZ:g} s")
        schedule = Schedule(
            start_ns=time.monotonic_ns(),
            window_samples=status.window_samples,
            hop_samples=status.hop_samples,
            windows=windows,
            block_samples=round(packet_s * SAMPLE_RATE_HZ),
        )
        cutoff_ns = schedule.last_due_ns + round(CUTOFF_S * 1e9)
        sent_ns = send_pcm(schedule, listener.stdin.fileno(), cutoff_ns)
        listener.finish(cutoff_ns)
        received, overload = subscriber.arrivals()
    arrivals = [arrival for arrival in received if arrival.received_ns <= cutoff_ns]
    times = [
        window_times(schedule.due_ns(each.end), sent_ns[block_of(each.end, schedule.block_samples)], each)
        for each in arrivals
    ]
    return Measured(status, times, overload)


def _measure_streams(
    model: str,
    windows: int,
    hop_s: float,
    provider: str | None,
    clients: int,
    source: str,
    streams: int,
    packet_s: float,
) -> Measured:
    from whoplays.bench.load import Load, run_load  # noqa: PLC0415  needs the extra `bench`

    if clients:
        raise OptionError("page_clients must be 0 with a source other than a pipe")
    run = run_load(Load(model, provider, source, hop_s, packet_s), [windows] * streams)
    return Measured(run.status, run.windows, run.overload)


def stage_samples(windows: Sequence[WindowTimes], due: int) -> dict[str, list[int]]:
    """The time in ns that each stage took of each window.

    Args:
        windows: those that were received.
        due: how many there should be.

    Raises:
        EndpointError: there are none.
    """
    if not windows:
        raise EndpointError(f"none of {due} windows was received within {CUTOFF_S:.0f} s after the last")
    taken = zip(*([after - before for before, after in pairwise(each)] for each in windows), strict=True)
    return {stage: list(times_ns) for stage, times_ns in zip(STAGES, taken, strict=True)}
