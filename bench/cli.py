"""`whoplays bench`: measure on this machine, and make the page of results."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from rich.console import Console

from whoplays.bench.compare import compare_commits, compare_models, compare_results
from whoplays.bench.events import measure_events
from whoplays.bench.latency import measure_latency
from whoplays.bench.report import make_page, show
from whoplays.bench.results import Result, check_writable, read_result, write_result
from whoplays.bench.throughput import measure_throughput
from whoplays.models.errors import ModelError, OptionError, WhoplaysError

MAX_BATCH: Final = 1024
MAX_THREADS: Final = 256
WINDOWS: Final = 400
"""As few as give the p99 an interval, and some more."""
FULL_WINDOWS: Final = 2000

app = App(name="bench", help="Measure latency, throughput, endurance and event detection on this machine.")

Full = Annotated[bool, Parameter(negative=())]
Json = Annotated[str | None, Parameter(name="--json", allow_leading_hyphen=True)]


@app.command
def latency(
    *,
    model: str = "default",
    windows: int | None = None,
    hop: float = 0.1,
    source: str = "pipe",
    streams: int = 1,
    packet_ms: float = 10.0,
    full: Full = False,
    provider: str | None = None,
    page_clients: int = 0,
    json: Json = None,
) -> None:
    """Measure how long after a window's last sample was due another process receives its result.

    Audio is sent by a schedule that waits for nothing, into `whoplays listen -` or `serve`, which publish over TCP.

    Args:
        model: A name from `whoplays models`, or a folder with an exported model.
        windows: How many windows to measure, of all streams; 400 unless given, 2000 with --full.
        hop: Seconds from the start of one window to the next, up to 3.
        source: The kind of source: pipe, which is one stream, rtp or zmq.
        streams: How many streams.
        packet_ms: Milliseconds of audio that are sent at once.
        full: Measure for the page of results.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        page_clients: How many clients follow the page of it meanwhile.
        json: A file to write the result to as JSON, or - for standard output.
    """
    check_writable(json)
    count = windows if windows is not None else FULL_WINDOWS if full else WINDOWS
    of_each = count if count < streams or streams < 1 else count // streams
    _report(measure_latency(model, of_each, hop, provider, page_clients, source, streams, packet_ms / 1000), json)


@app.command
def throughput(
    *,
    model: str = "default",
    batches: str = "1,2,4,8,16",
    threads: str = "1,2",
    seconds: float = 5.0,
    baseline: Annotated[list[str] | None, Parameter(alias="--peer", negative=())] = None,
    provider: str | None = None,
    json: Json = None,
) -> None:
    """Measure how many windows are recognised in a second, by batch size and threads.

    It fails if the probabilities of any of them differ from those of one window at a time on one thread.

    Args:
        model: A name from `whoplays models`, or a folder with an exported model.
        batches: Batch sizes, separated by commas.
        threads: Threads within one operation, separated by commas.
        seconds: How long to measure each of them.
        baseline: A published tagger to measure with it, as in yamnet=FILE.tflite; needs the extra peers.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        json: A file to write the result to as JSON, or - for standard output.
    """
    check_writable(json)
    sizes = parse_numbers(batches, "--batches", MAX_BATCH)
    counts = parse_numbers(threads, "--threads", MAX_THREADS)
    result = measure_throughput(model, sizes, counts, seconds, provider, baseline or [])
    _report(result, json)
    for row in result.rows:
        if not row.agrees:
            raise ModelError(
                f"batch {row.batch}, threads {row.threads}: the probabilities differ from the reference by "
                f"{row.max_abs_diff}; {result.tolerance:.0e} is allowed"
            )


@app.command
def soak(
    *,
    model: str = "default",
    streams: int = 32,
    minutes: float = 10.0,
    loss: float = 0.0,
    provider: str | None = None,
    json: Json = None,
) -> None:
    """Check that a daemon with many streams accounts for every sample, and does not grow.

    RTP is sent to `whoplays serve` on this machine. It fails if any of the checks does.

    Args:
        model: A name from `whoplays models`, or a folder with an exported model.
        streams: How many streams.
        minutes: How long to send.
        loss: The share of packets that the sender withholds, as if the network lost them, such as 0.01.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        json: A file to write the result to as JSON, or - for standard output.
    """
    from whoplays.bench.soak import measure_soak  # noqa: PLC0415  alone needs the extra `bench`

    check_writable(json)
    result = measure_soak(model, streams, minutes, loss, provider)
    _report(result, json)
    if result.failures:
        raise WhoplaysError("failed: " + "; ".join(f"{check.name}: {check.found}" for check in result.failures))


@app.command
def capacity(
    *,
    model: str = "default",
    source: str = "rtp",
    hop: float = 3.0,
    budget: float = 250.0,
    start: int = 16,
    seconds: float | None = None,
    packet_ms: float = 10.0,
    full: Full = False,
    provider: str | None = None,
    json: Json = None,
) -> None:
    """Search the most streams of which nothing is lost, and whose windows are received in time.

    `whoplays serve` runs in one process, the sender in another. It says what runs out, and whether the daemon recovers.

    Args:
        model: A name from `whoplays models`, or a folder with an exported model.
        source: The kind of source: rtp or zmq.
        hop: Seconds from the start of one window to the next, up to 3.
        budget: Milliseconds within which 99 of 100 windows must be received after their last sample was due.
        start: The number of streams to begin with; it is doubled until that is too many.
        seconds: How long each number is tried; 9 unless given, 30 with --full.
        packet_ms: Milliseconds of audio that are sent at once.
        full: Measure for the page of results: longer, and to 2 % of the number instead of 10 %.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        json: A file to write the result to as JSON, or - for standard output.
    """
    from whoplays.bench.capacity import measure_capacity  # noqa: PLC0415  needs the extra `bench`

    check_writable(json)
    result = measure_capacity(
        model,
        source,
        hop,
        budget,
        start=start,
        seconds=seconds if seconds is not None else 30.0 if full else 9.0,
        resolution=0.02 if full else 0.1,
        packet_s=packet_ms / 1000,
        provider=provider,
    )
    _report(result, json)


@app.command
def compare(
    first: str | None = None,
    second: str | None = None,
    *,
    against: str | None = None,
    model: str = "default",
    hop: float = 0.1,
    rounds: int = 10,
    provider: str | None = None,
    json: Json = None,
) -> None:
    """Say whether B is faster or slower than A: two models, two files of results, or this checkout and another commit.

    Both take turns, but for results. The verdict is of an interval of the ratio of their times, at 95 %.

    Args:
        first: A: a model, or a result of latency or throughput that --json wrote to a file with the suffix .json.
        second: B.
        against: A commit, instead of both: it gets a worktree and an environment of its own, which takes a minute.
        model: The model that is run with --against, by its name.
        hop: Seconds from the start of one window to the next with --against.
        rounds: How many turns each has, from 6.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        json: A file to write the result to as JSON, or - for standard output.
    """
    check_writable(json)
    if against is not None and first is None:
        _report(compare_commits(against, model, hop, rounds, provider), json)
    elif first is None or second is None or against is not None:
        raise OptionError("give two models, two files of results, or --against COMMIT")
    elif first.endswith(".json") and second.endswith(".json"):
        _report(compare_results(Path(first), Path(second)), json)
    else:
        _report(compare_models(first, second, rounds, provider), json)


@app.command
def profile(
    *,
    model: str = "default",
    source: str = "rtp",
    streams: int = 1,
    hop: float = 0.1,
    seconds: float = 20.0,
    flame: Path | None = None,
    provider: str | None = None,
    json: Json = None,
) -> None:
    """Show where the time of a window goes, stage by stage, and what CPU it takes.

    Args:
        model: A name from `whoplays models`, or a folder with an exported model.
        source: The kind of source: rtp or zmq.
        streams: How many streams.
        hop: Seconds from the start of one window to the next, up to 3.
        seconds: How long audio is sent.
        flame: A file for a flame graph of the daemon as SVG, by py-spy, which slows it a little.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        json: A file to write the result to as JSON, or - for standard output.
    """
    from whoplays.bench.profile import measure_profile  # noqa: PLC0415  needs the extra `bench`

    check_writable(json)
    check_writable(str(flame) if flame else None)
    _report(measure_profile(model, source, streams, hop, seconds, flame, provider), json)


@app.command
def events(
    *,
    concerts: Annotated[list[Path], Parameter(negative=())],
    model: Annotated[list[str], Parameter(negative=())],
    json: Json = None,
) -> None:
    """Measure how well and how soon onsets and offsets are detected, and fit the settings that do it best.

    The figures of each folder are also those of the settings that were fitted to the other folders.

    Args:
        concerts: A folder of concerts, as whoplays simulate makes them; two or more.
        model: The model for each folder in turn: a name from `whoplays models`, or a folder with an exported model.
        json: A file to write the result to as JSON; events.json in a run folder is what export takes.
    """
    check_writable(json)
    _report(measure_events(concerts, model), json)


@app.command
def report(*results: Path) -> None:
    """Print a page in Markdown that shows results.

    Args:
        results: Files written by --json.
    """
    print(make_page([read_result(path) for path in results]), end="")


def parse_numbers(text: str, option: str, largest: int) -> tuple[int, ...]:
    """Whole numbers from 1, separated by commas; sorted, each once.

    Raises:
        OptionError: the text is something else, or a number is larger than `largest`.

    >>> parse_numbers("4,1,2", "--batches", 1024)
    (1, 2, 4)
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= largest for word in words):
        raise OptionError(f"{option} must be numbers between 1 and {largest}, such as 1,2,4, got {text}")
    return tuple(sorted({int(word) for word in words}))


def _report(result: Result, json: str | None) -> None:
    """With JSON on standard output, the table goes to standard error."""
    show(result, Console(stderr=json == "-"))
    if json:
        write_result(result, json)
