"""Whether B is faster or slower than A: two results, two models, or the same in another commit."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from whoplays.bench.conditions import SEED, Conditions, command_line, current_conditions, load_average, model_info
from whoplays.bench.intervals import ratio_of_medians
from whoplays.bench.latency import Measured, measure_pipe
from whoplays.bench.processes import WHOPLAYS
from whoplays.bench.results import ComparisonResult, LatencyResult, Result, ThroughputResult, read_result
from whoplays.bench.throughput import noise, windows_per_s
from whoplays.models.errors import OptionError, WhoplaysError, require_between
from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.stream.common.terminal import note
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import Status

ROUNDS: Final = (6, 1000)
"""Of fewer rounds a bootstrap interval is too narrow."""
FILE_ROUNDS: Final = 20
"""So many pieces the windows of a result are cut into."""
TURN_S: Final = 1.0
WINDOWS: Final = 30
"""Of a commit in each of its turns."""

Turn = Callable[[], list[float]]
"""Measures once; the times in ms."""


def compare_results(first: Path, second: Path) -> ComparisonResult:
    """Compare two results of the same verb, as `--json` wrote them.

    Raises:
        WhoplaysError: they cannot be read, have no samples, or are of different verbs.
    """
    results = [read_result(path) for path in (first, second)]
    rounds = [_rounds(result, path) for result, path in zip(results, (first, second), strict=True)]
    if type(results[0]) is not type(results[1]):
        raise OptionError(f"{first} and {second} must be of the same verb")
    count = min(map(len, rounds))
    return ComparisonResult(
        command=f"whoplays bench compare {first} {second}",
        conditions=results[1].conditions,
        what="two results, which were not measured in turns: what else the machine did is not in the interval",
        first=str(first),
        second=str(second),
        rounds_ms=(rounds[0][:count], rounds[1][:count]),
        time_ratio=ratio_of_medians(rounds[0][:count], rounds[1][:count], seed=SEED),
    )


def compare_models(first: str, second: str, rounds: int, provider: str | None) -> ComparisonResult:
    """Compare the time that two models take for one window on one thread, in turns.

    Raises:
        WhoplaysError: a model cannot be run.
    """
    require_between("rounds", rounds, *ROUNDS)
    before, audio = load_average(), noise(1, CHANNELS, WINDOW_SAMPLES)
    recognizers = [Recognizer.load(model, provider, batches=[1], threads=1) for model in (first, second)]
    turns = [partial(_time_of_window, partial(each.recognize, audio)) for each in recognizers]
    infos = [model_info(each.card) for each in recognizers]
    return _comparison(
        command_line("compare", rounds=rounds, provider=provider).replace("compare", f"compare {first} {second}"),
        current_conditions(infos[1], recognizers[1].provider, before, infos[:1]),
        "inference of one window on one thread",
        (first, second),
        _in_turns(turns, rounds),
    )


def compare_commits(ref: str, model: str, hop_s: float, rounds: int, provider: str | None) -> ComparisonResult:
    """Compare the latency of this checkout with that of another commit, in turns, by command and wire alone.

    Args:
        ref: what git knows the commit by.
        model: of each commit its model of that name.
        hop_s: seconds from the start of one window to the next.
        rounds: in each, both are measured once.
        provider: the onnxruntime provider, or None for the best that runs.

    Raises:
        WhoplaysError: this is no checkout, or the commit cannot be installed or run.
    """
    require_between("rounds", rounds, *ROUNDS)
    before, status = load_average(), list[Status]()

    def measure(whoplays: Sequence[str]) -> list[float]:
        measured: Measured = measure_pipe(model, WINDOWS, hop_s, provider, whoplays=whoplays)
        status[:] = [measured.status]
        if not measured.windows:
            raise WhoplaysError("no window was received")
        return [(each.received_ns - each.due_ns) / 1e6 for each in measured.windows]

    with installed(ref) as command:
        taken = _in_turns([partial(measure, command), partial(measure, WHOPLAYS)], rounds)
    words = command_line("compare", against=ref, model=model, hop=hop_s, rounds=rounds, provider=provider)
    what = f"latency from a pipe, {WINDOWS} windows a turn, one every {hop_s:g} s"
    conditions = current_conditions(status[0].model, status[0].provider, before)
    return _comparison(words, conditions, what, (ref, "this checkout"), taken)


@contextmanager
def installed(ref: str) -> Iterator[list[str]]:
    """A worktree of a commit with an environment of its own, for as long as it is needed: its `whoplays`.

    Raises:
        OptionError: git knows no such commit here.
        WhoplaysError: it cannot be installed.
    """
    root = Path(__file__).resolve().parents[1]
    git = shutil.which("git") or "git"
    with tempfile.TemporaryDirectory(prefix="whoplays-compare-") as folder:
        tree, environment = Path(folder, "tree"), Path(folder, "env")
        _run([git, "-C", str(root), "worktree", "add", "--detach", "--quiet", str(tree), ref], OptionError)
        try:
            note(f"installing {ref} in an environment of its own")
            _run([sys.executable, "-m", "venv", str(environment)])
            constraints = ["--constraint", str(tree / "constraints.txt")]
            _run([str(environment / "bin/pip"), "install", "--quiet", *constraints, "--editable", f"{tree}[cpu]"])
            yield [str(environment / "bin/whoplays")]
        finally:
            _run([git, "-C", str(root), "worktree", "remove", "--force", str(tree)])


def _run(command: list[str], error: type[WhoplaysError] = WhoplaysError) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own commands
    except OSError as failure:
        raise error(f"{command[0]} cannot be run: {failure.strerror}") from failure
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise error(f"{Path(command[0]).name} failed: {lines[-1]}")


def _time_of_window(recognize: Callable[[], object]) -> list[float]:
    return [1000 / windows_per_s((1, recognize), TURN_S)]


def _in_turns(turns: Sequence[Turn], rounds: int) -> list[list[list[float]]]:
    """Of each turn its times, a list a round; which one begins is drawn anew in each round."""
    taken: list[list[list[float]]] = [[] for _ in turns]
    random = np.random.default_rng(SEED)
    for number in range(rounds):
        note(f"round {number + 1} of {rounds}")
        for place in random.permutation(len(turns)):
            taken[place].append(turns[place]())
    return taken


def _comparison(
    command: str, conditions: Conditions, what: str, names: tuple[str, str], taken: list[list[list[float]]]
) -> ComparisonResult:
    return ComparisonResult(
        command=command,
        conditions=conditions,
        what=what,
        first=names[0],
        second=names[1],
        rounds_ms=(taken[0], taken[1]),
        time_ratio=ratio_of_medians(taken[0], taken[1], seed=SEED),
    )


def _rounds(result: Result, path: Path) -> list[list[float]]:
    """The times in ms of a result, in pieces that were measured one after the other."""
    match result:
        case LatencyResult() if result.samples_us:
            total_ms = np.sum(list(result.samples_us.values()), axis=0) / 1000
            return [part.tolist() for part in np.array_split(total_ms, min(FILE_ROUNDS, len(total_ms)))]
        case ThroughputResult() if result.rows[0].rates.rounds:
            return [[1000 / rate] for rate in result.rows[0].rates.rounds]
    raise OptionError(f"{path} must be a result of bench latency or throughput with its samples")
