"""How many windows are recognised in a second, by batch size and threads."""

import itertools
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from whoplays.bench.conditions import SEED, command_line, current_conditions, load_average, model_info
from whoplays.bench.results import BaselineRow, Rates, ThroughputResult, ThroughputRow
from whoplays.models.card import MAX_DIFFERENCE
from whoplays.models.errors import DataError, OptionError, require_between
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.models.tflite import open_interpreter
from whoplays.stream.common.terminal import note
from whoplays.stream.pipeline.recognizer import Recognizer

ROUNDS: Final = 5
SECONDS: Final = (0.001, 86_400.0)
_NOISE_LEVEL: Final = 0.1
_BASELINE_RATE_HZ: Final = 16_000

Floats = npt.NDArray[np.float32]


class Setting(NamedTuple):
    """How the recogniser runs in one row of the result."""

    batch: int
    threads: int


REFERENCE: Final = Setting(batch=1, threads=1)

Key = TypeVar("Key", bound=Hashable)
Workload = tuple[int, Callable[[], object]]
"""A number of windows, and what recognises so many."""


class BaselineTagger:
    """A published tagger as a TFLite file that takes a frame of mono at 16 kHz, as YAMNet does, on one thread.

    Of a window it is given as many whole frames as there are, resampled already: what remains costs it nothing.

    Raises:
        OptionError: this is not NAME=FILE, or there is no such file.
    """

    def __init__(self, text: str) -> None:
        self.name, _, path = text.partition("=")
        self.path: Final = Path(path)
        if not (self.name and path):
            raise OptionError(f"--baseline must be NAME=FILE.tflite, got {text}")
        if not self.path.is_file():
            raise OptionError(f"--baseline {text}: file {path} not found")

    def tag_window(self) -> None:
        """Tag a window of noise.

        Raises:
            DataError: the file is not such a tagger, or the extra `peers` is not installed.
        """
        interpreter, frames = self._interpreter
        for _ in range(frames):
            interpreter.invoke()

    @cached_property
    def _interpreter(self) -> tuple[Any, int]:
        """With noise as its input, and the number of frames in a window."""
        interpreter = open_interpreter(self.path)
        try:
            (samples,) = interpreter.get_input_details()[0]["shape"]
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], noise(samples))
        except (ValueError, RuntimeError) as error:
            raise DataError(f"{self.path} does not take mono audio: {' '.join(str(error).split())}") from error
        return interpreter, max(1, WINDOW_SAMPLES * _BASELINE_RATE_HZ // SAMPLE_RATE_HZ // int(samples))


def measure_throughput(
    model: str,
    batches: Sequence[int],
    threads: Sequence[int],
    seconds: float,
    provider: str | None,
    baselines: Sequence[str] = (),
) -> ThroughputResult:
    """Measure every batch size on every number of threads, and always the reference.

    The settings take turns, in a new order in each round, so that whatever else the machine does affects all alike.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        batches: batch sizes, each from 1.
        threads: threads within one operation, each from 1.
        seconds: how long to measure each setting, over all rounds; a turn is one batch or more.
        provider: the onnxruntime provider, or None for the best that runs.
        baselines: published taggers to measure in the same rounds, as NAME=FILE.tflite.

    Raises:
        WhoplaysError: an option is out of range, or a model cannot be run.
    """
    require_between("seconds", seconds, *SECONDS)
    taggers = {tagger.name: tagger for tagger in map(BaselineTagger, baselines)}
    if len(taggers) < len(baselines):
        raise OptionError(f"--baseline must have a name of its own each, got {', '.join(baselines)}")
    load = load_average()
    settings = list(dict.fromkeys((REFERENCE, *itertools.starmap(Setting, itertools.product(batches, threads)))))
    recognizers = {
        count: Recognizer.load(model, provider, batches=sorted({setting.batch for setting in settings}), threads=count)
        for count in sorted({setting.threads for setting in settings})
    }
    note(f"measuring {len(settings)} settings, each for {seconds:g} s or more")
    audio = noise(max(setting.batch for setting in settings), CHANNELS, WINDOW_SAMPLES)
    workloads = _workloads(settings, recognizers, taggers, audio)
    rates = _measure_in_turns(workloads, seconds / ROUNDS)
    return ThroughputResult(
        command=command_line(
            "throughput",
            model=model,
            batches=",".join(map(str, batches)),
            threads=",".join(map(str, threads)),
            seconds=seconds,
            provider=provider,
        )
        + "".join(f" --baseline {name}={tagger.path.name}" for name, tagger in taggers.items()),
        conditions=current_conditions(model_info(recognizers[1].card), recognizers[1].provider, load),
        rounds=ROUNDS,
        seconds_per_cell=seconds,
        tolerance=MAX_DIFFERENCE,
        rows=make_rows({setting: rates[setting] for setting in settings}, differences(settings, recognizers, audio)),
        baselines=tuple(
            BaselineRow(name=name, rates=summarize_rates(rates[name], rates[REFERENCE])) for name in taggers
        ),
    )


def _workloads(
    settings: Sequence[Setting],
    recognizers: Mapping[int, Recognizer],
    taggers: Mapping[str, BaselineTagger],
    audio: Floats,
) -> dict[Setting | str, Workload]:
    workloads: dict[Setting | str, Workload] = {
        setting: (setting.batch, partial(recognizers[setting.threads].recognize, audio[: setting.batch]))
        for setting in settings
    }
    return workloads | {name: (1, tagger.tag_window) for name, tagger in taggers.items()}


def differences(
    settings: Sequence[Setting], recognizers: Mapping[int, Recognizer], audio: Floats
) -> dict[Setting, float]:
    """The largest difference of each setting's probabilities from those of the reference, on the same windows.

    Args:
        settings: what to compare.
        recognizers: by threads.
        audio: `[n, channels, samples]` float32, n as large as the largest batch.
    """
    reference = np.concatenate([recognizers[1].recognize(window[np.newaxis]) for window in audio])
    found = {
        setting: recognizers[setting.threads].recognize(audio[: setting.batch]) - reference[: setting.batch]
        for setting in settings
    }
    return {setting: float(np.abs(difference).max()) for setting, difference in found.items()}


def make_rows(
    rates: Mapping[Setting, Sequence[float]], max_differences: Mapping[Setting, float]
) -> tuple[ThroughputRow, ...]:
    """The rows, from each setting's rates in windows a second, one a round, and its difference from the reference."""
    return tuple(
        ThroughputRow(
            batch=setting.batch,
            threads=setting.threads,
            rates=summarize_rates(rounds, rates[REFERENCE]),
            max_abs_diff=max_differences[setting] if np.isfinite(max_differences[setting]) else None,
            # Written so that NaN does not agree.
            agrees=max_differences[setting] <= MAX_DIFFERENCE,
        )
        for setting, rounds in rates.items()
    )


def summarize_rates(rounds: Sequence[float], reference: Sequence[float]) -> Rates:
    """Rates in windows a second, one a round, beside those of the reference."""
    median = float(np.median(rounds))
    return Rates(
        windows_per_s=round(median, 3),
        slowest_per_s=round(min(rounds), 3),
        fastest_per_s=round(max(rounds), 3),
        ratio=round(median / float(np.median(reference)), 3),
        rounds=tuple(round(rate, 3) for rate in rounds),
    )


def _measure_in_turns(workloads: Mapping[Key, Workload], turn_s: float) -> dict[Key, list[float]]:
    """Of each workload its windows a second, one a round."""
    rates: dict[Key, list[float]] = {key: [] for key in workloads}
    keys, random = list(workloads), np.random.default_rng(SEED)
    for _ in range(ROUNDS):
        for place in random.permutation(len(keys)):
            rates[keys[place]].append(windows_per_s(workloads[keys[place]], turn_s))
    return rates


def windows_per_s(workload: Workload, turn_s: float) -> float:
    """How many windows a second are recognised in a turn of so many seconds; once at least."""
    windows_at_once, recognize = workload
    started_ns, elapsed_ns, windows = time.perf_counter_ns(), 0, 0
    while elapsed_ns < turn_s * 1e9:
        recognize()
        windows += windows_at_once
        elapsed_ns = time.perf_counter_ns() - started_ns
    return windows * 1e9 / elapsed_ns


def noise(*shape: int) -> Floats:
    """Audio of this shape."""
    return _NOISE_LEVEL * np.random.default_rng(SEED).standard_normal(shape, np.float32)
