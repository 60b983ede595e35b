"""Where the time of a window goes: by stages, in CPU, and as a flame graph of the daemon."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from whoplays.bench.capacity import SECONDS, SOURCES, windows_in
from whoplays.bench.conditions import command_line, current_conditions, load_average
from whoplays.bench.latency import MAX_STREAMS, stage_samples
from whoplays.bench.load import Load, run_load
from whoplays.bench.results import ProfileResult
from whoplays.models.errors import OptionError, WhoplaysError, require_between
from whoplays.stream.pipeline.options import WINDOW_S

MIN_HOP_S: Final = 0.01
EXIT_S: Final = 30.0


def measure_profile(
    model: str, source: str, streams: int, hop_s: float, seconds: float, flame: Path | None, provider: str | None
) -> ProfileResult:
    """Run a daemon with some streams, and say what a window of theirs takes.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        source: the kind of source.
        streams: how many.
        hop_s: seconds from the start of one window to the next.
        seconds: how long audio is sent.
        flame: where a flame graph of the daemon is written, as SVG.
        provider: the onnxruntime provider, or None for the best that runs.

    Raises:
        WhoplaysError: an option is out of range, the model cannot be run, or py-spy is missing or may not look.
    """
    if source not in SOURCES:
        raise OptionError(f"source must be one of {', '.join(SOURCES)}, got {source}")
    require_between("streams", streams, 1, MAX_STREAMS)
    require_between("hop", hop_s, MIN_HOP_S, WINDOW_S, "s")
    require_between("seconds", seconds, *SECONDS)
    if flame and profiler() is None:
        raise OptionError("--flame needs py-spy: pip install -c constraints.txt '.[bench]'")
    before, windows = load_average(), windows_in(seconds, hop_s)
    with_flame = (lambda pid: recording(pid, seconds, flame)) if flame else None
    run = run_load(Load(model, provider, source, hop_s), [windows] * streams, with_flame)
    samples = stage_samples(run.windows, streams * windows)
    return ProfileResult(
        command=command_line(
            "profile", model=model, source=source, streams=streams, hop=hop_s, seconds=seconds, provider=provider
        ),
        conditions=current_conditions(run.status.model, run.status.provider, before),
        source=source,
        streams=streams,
        hop_s=hop_s,
        overload=run.overload,
        samples_us={stage: [round(each / 1000) for each in times_ns] for stage, times_ns in samples.items()},
        usage=run.usage,
    )


def profiler() -> str | None:
    """The command py-spy: of this environment, or any."""
    own = Path(sys.executable).with_name("py-spy")
    return str(own) if own.is_file() else shutil.which("py-spy")


@contextmanager
def recording(pid: int, seconds: float, flame: Path) -> Iterator[None]:
    """Sample the stacks of a process for some seconds, and write a flame graph.

    Raises:
        WhoplaysError: py-spy cannot do that; the message is the last line of what it says.
    """
    options = ["--pid", str(pid), "--duration", str(max(1, round(seconds))), "--output", str(flame)]
    # Otherwise it stops the daemon for each sample, longer than a window takes.
    command = [profiler() or "py-spy", "record", "--nonblocking", *options]
    with subprocess.Popen(  # noqa: S603  our own arguments
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield
            _, said = process.communicate(timeout=EXIT_S)
        finally:
            process.kill()
    if process.returncode:
        raise WhoplaysError(f"py-spy failed: {(said.strip().splitlines() or ['no reason given'])[-1]}")
