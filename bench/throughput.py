"""How many windows a second the recogniser judges, by batch size and threads."""

import itertools
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from whoplays.bench.conditions import identify, load_now, observe
from whoplays.bench.peer import Peer
from whoplays.bench.results import Cell, PeerCell, Rates, ThroughputResult
from whoplays.models.card import MAX_DIFFERENCE
from whoplays.models.errors import OptionError
from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.stream.common.terminal import note
from whoplays.stream.pipeline.recognizer import Recognizer

ROUNDS: Final = 5
LEVEL: Final = 0.1

Floats = npt.NDArray[np.float32]


class Setting(NamedTuple):
    """What a cell stands for."""

    batch: int
    threads: int


REFERENCE: Final = Setting(batch=1, threads=1)

Key = TypeVar("Key", bound=Hashable)
Turn = tuple[int, Callable[[], object]]
"""How many windows are judged at a time, and what judges them."""


def measure_throughput(
    model: str,
    batches: Sequence[int],
    threads: Sequence[int],
    seconds: float,
    provider: str | None,
    peers: Sequence[str] = (),
) -> ThroughputResult:
    """Measure every batch size on every number of threads, and the reference even if nobody asked for it.

    The cells take turns, in a new order in each round, so that whatever else the machine does falls on all alike.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        batches: batch sizes, each from 1.
        threads: threads within one operation, each from 1.
        seconds: how long to measure each cell, over all rounds; a turn is one batch or more.
        provider: the onnxruntime provider, or None for the best that runs.
        peers: others' taggers to time in the same rounds, as NAME=FILE.tflite.

    Raises:
        WhoplaysError: an option makes no sense, or the model cannot be run.
    """
    if not 0 < seconds < float("inf"):
        raise OptionError(f"measuring for {seconds} s makes no sense; give more than 0")
    others = [Peer(text) for text in peers]
    if len({peer.name for peer in others}) < len(others):
        raise OptionError("two peers of one name; give each its own")
    load = load_now()
    settings = list(dict.fromkeys((REFERENCE, *itertools.starmap(Setting, itertools.product(batches, threads)))))
    recognizers = _load(model, settings, provider)
    note(f"measuring {len(settings)} cells, each for {seconds:g} s or more")
    audio = _noise(max(setting.batch for setting in settings))
    turns: dict[Setting | str, Turn] = {
        setting: (setting.batch, partial(recognizers[setting.threads].recognize, audio[: setting.batch]))
        for setting in settings
    }
    turns |= {peer.name: (1, peer.judge_window) for peer in others}
    rates = _take_turns(turns, seconds / ROUNDS)
    return ThroughputResult(
        command=_command(model, batches, threads, seconds, provider, peers),
        conditions=observe(identify(recognizers[1].card), recognizers[1].provider, load),
        rounds=ROUNDS,
        seconds_per_cell=seconds,
        tolerance=MAX_DIFFERENCE,
        cells=judge({setting: rates[setting] for setting in settings}, differences(settings, recognizers, audio)),
        peers=tuple(PeerCell(name=peer.name, rates=sum_up(rates[peer.name], rates[REFERENCE])) for peer in others),
    )


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


def judge(rates: Mapping[Setting, Sequence[float]], differing: Mapping[Setting, float]) -> tuple[Cell, ...]:
    """The cells, from each setting's rates in windows a second, a rate a round, and its difference."""
    return tuple(
        Cell(
            batch=setting.batch,
            threads=setting.threads,
            rates=sum_up(rounds, rates[REFERENCE]),
            max_abs_diff=differing[setting] if np.isfinite(differing[setting]) else None,
            # Written so that what is no number does not agree.
            agrees=differing[setting] <= MAX_DIFFERENCE,
        )
        for setting, rounds in rates.items()
    )


def sum_up(rounds: Sequence[float], reference: Sequence[float]) -> Rates:
    """What rates in windows a second, one a round, come to beside those of the reference."""
    median = float(np.median(rounds))
    return Rates(
        windows_per_s=round(median, 3),
        slowest_per_s=round(min(rounds), 3),
        fastest_per_s=round(max(rounds), 3),
        ratio=round(median / float(np.median(reference)), 3),
    )


def _load(model: str, settings: Sequence[Setting], provider: str | None) -> dict[int, Recognizer]:
    batches = {setting.batch for setting in settings}
    counts = sorted({setting.threads for setting in settings})
    return {count: Recognizer.load(model, provider, batches=sorted(batches), threads=count) for count in counts}


def _take_turns(turns: Mapping[Key, Turn], turn_s: float) -> dict[Key, list[float]]:
    rates: dict[Key, list[float]] = {who: [] for who in turns}
    order = np.random.default_rng(0)
    everybody = list(turns)
    for place in itertools.chain.from_iterable(order.permutation(len(everybody)) for _ in range(ROUNDS)):
        rates[everybody[place]].append(_windows_per_s(turns[everybody[place]], turn_s))
    return rates


def _windows_per_s(turn: Turn, turn_s: float) -> float:
    at_a_time, judge_them = turn
    started_ns, elapsed_ns, windows = time.perf_counter_ns(), 0, 0
    while elapsed_ns < turn_s * 1e9:
        judge_them()
        windows += at_a_time
        elapsed_ns = time.perf_counter_ns() - started_ns
    return windows * 1e9 / elapsed_ns


def _noise(windows: int) -> Floats:
    return LEVEL * np.random.default_rng(0).standard_normal((windows, CHANNELS, WINDOW_SAMPLES), np.float32)


def _command(
    model: str,
    batches: Sequence[int],
    threads: Sequence[int],
    seconds: float,
    provider: str | None,
    peers: Sequence[str],
) -> str:
    lists = f"--batches {','.join(map(str, batches))} --threads {','.join(map(str, threads))}"
    options = f"--model {model} {lists} --seconds {seconds:g}"
    others = "".join(f" --peer {name}={Path(file).name}" for name, _, file in (peer.partition("=") for peer in peers))
    return f"whoplays bench throughput {options}" + (f" --provider {provider}" if provider else "") + others
