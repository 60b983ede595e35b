from pathlib import Path

import pytest

from whoplays.bench.conditions import load_now, observe
from whoplays.bench.results import LatencyResult, ThroughputResult, check_writable, read_result, write_result
from whoplays.models.errors import DataError, OptionError
from whoplays.stream.pubsub.messages import ModelInfo


def test_results_come_back_from_their_files(
    tmp_path: Path, latency: LatencyResult, throughput: ThroughputResult
) -> None:
    for result in (latency, throughput):
        write_result(result, str(tmp_path / "result.json"))
        assert read_result(tmp_path / "result.json") == result


def test_a_file_that_is_no_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.json cannot be read"):
        read_result(tmp_path / "missing.json")
    for content in (b'{"bench": "accuracy"}', b'{"bench": "\xff"}'):
        (tmp_path / "other.json").write_bytes(content)
        with pytest.raises(DataError, match=r"other\.json is no result of whoplays bench"):
            read_result(tmp_path / "other.json")


def test_what_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path, tmp_path / "file" / "result.json"):
        with pytest.raises(OptionError, match="cannot write a result to"):
            check_writable(str(target))
    for good in (None, "-", str(tmp_path / "result.json")):
        check_writable(good)


def test_a_folder_that_is_missing_is_made(tmp_path: Path, latency: LatencyResult) -> None:
    target = tmp_path / "bench" / "measured" / "latency.json"
    check_writable(str(target))
    write_result(latency, str(target))
    assert read_result(target) == latency


def test_conditions_tell_machine_and_software() -> None:
    model = ModelInfo(name="tiny", version="0.1", sha256="0123456789ab")
    conditions = observe(model, "cpu", load_now())
    assert {"python", "whoplays", "numpy", "pyzmq"} <= set(conditions.versions)
    assert any(name.startswith("onnxruntime") for name in conditions.versions)
    assert conditions.hardware.cpu
    assert conditions.hardware.cores >= 1
    assert conditions.hardware.memory_gib > 0
    assert (conditions.model, conditions.provider) == (model, "cpu")
