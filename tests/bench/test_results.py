import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whoplays.bench.conditions import current_conditions, load_average
from whoplays.bench.results import (
    LatencyResult,
    SoakResult,
    ThroughputResult,
    check_writable,
    read_result,
    summarize,
    write_result,
)
from whoplays.models.errors import DataError, OptionError
from whoplays.stream.pubsub.messages import ModelInfo


def test_results_come_back_from_their_files(
    tmp_path: Path, latency: LatencyResult, throughput: ThroughputResult, failed_soak: SoakResult
) -> None:
    for result in (latency, throughput, failed_soak):
        write_result(result, str(tmp_path / "result.json"))
        assert read_result(tmp_path / "result.json") == result


def test_numbers_stand_in_one_line(tmp_path: Path, latency: LatencyResult) -> None:
    kept = msgspec.structs.replace(latency, samples_us={"infer": [1, 2, 3]})
    write_result(kept, str(tmp_path / "result.json"))
    assert '"infer": [1, 2, 3]' in (tmp_path / "result.json").read_text()
    assert read_result(tmp_path / "result.json") == kept


def test_another_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.json cannot be read"):
        read_result(tmp_path / "missing.json")
    for content in (b'{"bench": "accuracy"}', b'{"bench": "\xff"}'):
        (tmp_path / "other.json").write_bytes(content)
        with pytest.raises(DataError, match=r"other\.json is not a result of whoplays bench"):
            read_result(tmp_path / "other.json")


def test_a_target_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path, tmp_path / "file" / "result.json"):
        with pytest.raises(OptionError, match="cannot write a result to"):
            check_writable(str(target))
    for good in (None, "-", str(tmp_path / "result.json")):
        check_writable(good)


def test_a_missing_folder_is_made(tmp_path: Path, latency: LatencyResult) -> None:
    target = tmp_path / "bench" / "measured" / "latency.json"
    check_writable(str(target))
    write_result(latency, str(target))
    assert read_result(target) == latency


def test_conditions_are_those_of_this_machine() -> None:
    model = ModelInfo(name="tiny", version="0.1", sha256="0123456789ab")
    conditions = current_conditions(model, "cpu", load_average())
    assert {"python", "whoplays", "numpy", "pyzmq"} <= set(conditions.versions)
    assert any(name.startswith("onnxruntime") for name in conditions.versions)
    assert conditions.hardware.cpu
    assert conditions.hardware.cores >= 1
    assert conditions.hardware.memory_gib > 0
    assert (conditions.model, conditions.provider) == (model, "cpu")


def test_percentiles_of_a_hundred() -> None:
    times_ns = [ms * 1_000_000 for ms in range(1, 101)]
    random.Random(0).shuffle(times_ns)
    found = summarize(times_ns)
    assert (found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms) == (50.0, 90.0, 99.0, 100.0)
    assert found.intervals == ((40.0, 61.0), (84.0, 96.0), None)


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_each_percentile_is_a_time_that_was_measured(times_ns: list[int]) -> None:
    found = summarize(times_ns)
    measured_ms = {time_ns / 1e6 for time_ns in times_ns}
    assert {found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms} <= measured_ms
    assert found.p50_ms <= found.p90_ms <= found.p99_ms <= found.max_ms == max(measured_ms)
