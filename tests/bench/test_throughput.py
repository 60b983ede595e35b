import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from whoplays.bench.report import make_table
from whoplays.bench.results import Rates
from whoplays.bench.throughput import REFERENCE, ROUNDS, BaselineTagger, Setting, make_rows, measure_throughput
from whoplays.models.errors import DataError, ModelError, OptionError
from whoplays.stream.pipeline.recognizer import Recognizer

Floats = npt.NDArray[np.float32]
PAIR = Setting(batch=2, threads=1)


def test_every_setting_is_measured_and_equals_the_reference(model: Path) -> None:
    result = measure_throughput(str(model), (2, 3), (1, 2), 0.05, "cpu")
    assert [(row.batch, row.threads) for row in result.rows] == [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)]
    assert (result.rows[0].rates.ratio, result.rows[0].max_abs_diff, result.rounds) == (1.0, 0.0, ROUNDS)
    assert all(row.agrees for row in result.rows)
    for rates in (row.rates for row in result.rows):
        assert 0 < rates.slowest_per_s <= rates.windows_per_s <= rates.fastest_per_s
    assert result.command.endswith("--batches 2,3 --threads 1,2 --seconds 0.05 --provider cpu")


def test_a_batch_with_other_results_is_seen(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recognizer, "recognize", wrong_in_batches(Recognizer.recognize))
    reference, pair = measure_throughput(str(model), (2,), (1,), 0.01, "cpu").rows
    assert (reference.agrees, pair.agrees) == (True, False)
    assert pair.max_abs_diff == pytest.approx(0.25)


def wrong_in_batches(recognize: Callable[[Recognizer, Floats], Floats]) -> Callable[[Recognizer, Floats], Floats]:
    def wrong(recognizer: Recognizer, windows: Floats) -> Floats:
        return recognize(recognizer, windows) + np.float32(0.25 if len(windows) > 1 else 0.0)

    return wrong


def test_rows_are_medians_and_their_ratios() -> None:
    reference, pair = make_rows({REFERENCE: [10.0, 30.0, 20.0], PAIR: [5.0, 100.0, 50.0]}, {REFERENCE: 0.0, PAIR: 1e-4})
    assert reference.rates == Rates(
        windows_per_s=20.0, slowest_per_s=10.0, fastest_per_s=30.0, ratio=1.0, rounds=(10.0, 30.0, 20.0)
    )
    assert (pair.rates.windows_per_s, pair.rates.ratio, pair.max_abs_diff, pair.agrees) == (50.0, 2.5, 1e-4, True)


def test_nan_does_not_agree() -> None:
    (row,) = make_rows({REFERENCE: [1.0]}, {REFERENCE: math.nan})
    assert (row.max_abs_diff, row.agrees) == (None, False)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_a_time_out_of_range_is_refused(model: Path, seconds: float) -> None:
    with pytest.raises(OptionError, match=r"seconds must be between 0\.001 and 86400"):
        measure_throughput(str(model), (1,), (1,), seconds, "cpu")


@pytest.mark.parametrize("baseline", ["yamnet", "=file", "yamnet=nowhere.tflite"])
def test_a_baseline_that_is_not_found_is_refused(model: Path, baseline: str) -> None:
    with pytest.raises(OptionError, match=f"--baseline .*{baseline}"):
        measure_throughput(str(model), (1,), (1,), 0.01, "cpu", [baseline])


def test_two_baselines_of_one_name_are_refused(model: Path) -> None:
    with pytest.raises(OptionError, match="--baseline must have a name of its own"):
        measure_throughput(str(model), (1,), (1,), 0.01, "cpu", [f"same={__file__}"] * 2)


def test_a_baseline_that_is_not_a_tagger_is_refused(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra peers is not installed")
    (tmp_path / "yamnet.tflite").write_bytes(b"no model at all")
    with pytest.raises(DataError, match="is not a TFLite graph"):
        measure_throughput(str(model), (1,), (1,), 0.01, "cpu", [f"yamnet={tmp_path / 'yamnet.tflite'}"])


def test_a_baseline_takes_its_turns_with_the_recogniser(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that needs a hundredth of a second tags no more than a hundred windows in one."""
    monkeypatch.setattr(BaselineTagger, "tag_window", lambda _: time.sleep(0.01))
    result = measure_throughput(str(model), (1,), (1,), 0.1, "cpu", [f"slow={__file__}"])
    (slow,) = result.baselines
    assert (slow.name, slow.rates.fastest_per_s <= 100) == ("slow", True)
    assert slow.rates.ratio == pytest.approx(slow.rates.windows_per_s / result.rows[0].rates.windows_per_s, abs=1e-3)
    assert result.command.endswith(f"--baseline slow={Path(__file__).name}")
    assert make_table(result).rows[-1][:2] == ("slow", "1")


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="model 'nobody' not found"):
        measure_throughput("nobody", (1,), (1,), 1.0, "cpu")
