"""`whoplays bench`: measure this machine, and make the page of results."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from rich.console import Console

from whoplays.bench.events import measure_events
from whoplays.bench.latency import measure_latency
from whoplays.bench.numbers import parse_numbers
from whoplays.bench.report import page
from whoplays.bench.results import Result, check_writable, read_result, write_result
from whoplays.bench.soak import failures, measure_soak
from whoplays.bench.tables import show
from whoplays.bench.throughput import measure_throughput
from whoplays.models.errors import ModelError, WhoplaysError

LARGEST_BATCH: Final = 1024
MOST_THREADS: Final = 256

app = App(name="bench", help="Measure how late, how fast and how faithfully results come, on this machine.")

Json = Annotated[str | None, Parameter(name="--json", allow_leading_hyphen=True)]


@app.command
def latency(
    *,
    model: str = "default",
    windows: int = 200,
    hop: float = 0.25,
    provider: str | None = None,
    json: Json = None,
) -> None:
    """Measure how long after a window's last sample was due another process receives its result.

    Audio is sent by a schedule that waits for nothing, into `whoplays listen -`, which publishes over TCP.

    Args:
        model: A name from `whoplays models`, or a folder with an exported model.
        windows: How many windows to measure.
        hop: Seconds from the start of one window to the next, up to 3.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        json: A file to write the result to as JSON, or - for standard output.
    """
    check_writable(json)
    _tell(measure_latency(model, windows, hop, provider), json)


@app.command
def throughput(
    *,
    model: str = "default",
    batches: str = "1,2,4,8,16",
    threads: str = "1,2",
    seconds: float = 5.0,
    peer: Annotated[list[str] | None, Parameter(negative=())] = None,
    provider: str | None = None,
    json: Json = None,
) -> None:
    """Measure how many windows a second the recogniser judges, by batch size and threads.

    It fails if any of them gives other results than the reference: one window at a time on one thread.

    Args:
        model: A name from `whoplays models`, or a folder with an exported model.
        batches: Batch sizes, separated by commas.
        threads: Threads within one operation, separated by commas.
        seconds: How long to measure each of them.
        peer: Another's tagger to time beside it, as in yamnet=FILE.tflite; needs the extra peers.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        json: A file to write the result to as JSON, or - for standard output.
    """
    check_writable(json)
    sizes = parse_numbers(batches, "--batches", LARGEST_BATCH)
    counts = parse_numbers(threads, "--threads", MOST_THREADS)
    result = measure_throughput(model, sizes, counts, seconds, provider, peer or [])
    _tell(result, json)
    for cell in result.cells:
        if not cell.agrees:
            raise ModelError(
                f"batch {cell.batch}, threads {cell.threads}: the probabilities differ from the reference by "
                f"{cell.max_abs_diff}; {result.tolerance:.0e} is allowed"
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
    """See whether a daemon with many streams accounts for every sample, and whether it grows.

    RTP is sent to `whoplays serve` on this machine. It fails if any point of the verdict does.

    Args:
        model: A name from `whoplays models`, or a folder with an exported model.
        streams: How many streams.
        minutes: How long to send.
        loss: The share of packets that the sender withholds, as if the network lost them, such as 0.01.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        json: A file to write the result to as JSON, or - for standard output.
    """
    check_writable(json)
    result = measure_soak(model, streams, minutes, loss, provider)
    _tell(result, json)
    failed = failures(result)
    if failed:
        raise WhoplaysError("these do not hold: " + "; ".join(f"{point.name}: {point.found}" for point in failed))


@app.command
def events(
    *,
    concerts: Annotated[list[Path], Parameter(negative=())],
    model: Annotated[list[str], Parameter(negative=())],
    json: Json = None,
) -> None:
    """Measure how rightly and how soon it is told who enters and leaves, and fit the hysteresis that tells it best.

    Each folder's figures are also those of the hysteresis that was fitted to the other folders.

    Args:
        concerts: A folder of concerts, as whoplays concerts makes them; two or more.
        model: Who hears them: a name from `whoplays models`, or a folder with an exported model; one for each folder.
        json: A file to write the result to as JSON; hysteresis.json in a run folder is what export takes.
    """
    check_writable(json)
    _tell(measure_events(concerts, model), json)


@app.command
def report(*results: Path) -> None:
    """Print a page in Markdown that shows results.

    Args:
        results: Files written by --json.
    """
    print(page([read_result(path) for path in results]), end="")


def _tell(result: Result, json: str | None) -> None:
    """With JSON on standard output, people read on standard error."""
    show(result, Console(stderr=json == "-"))
    if json:
        write_result(result, json)
