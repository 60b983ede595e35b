from pathlib import Path

import msgspec
import pytest

import whoplays
from whoplays.bench.results import Result, ThroughputResult
from whoplays.models.card import MAX_DIFFERENCE


def test_latency_writes_json_on_standard_output_and_nothing_else(
    model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whoplays.main(["bench", "latency", "--model", str(model), "--windows", "2", "--hop", "0.1", "--json", "-"])
    out, err = capfd.readouterr()
    result = msgspec.json.decode(out, type=Result)
    assert result.conditions.model.name == "tiny"
    assert "Latency of tiny 0.1" in err
    assert "2 received, 0 lost" in err


def test_throughput_is_kept_and_reported(model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "throughput.json")
    options = ["--batches", "1,2", "--threads", "1", "--seconds", "0.01", "--json", target]
    whoplays.main(["bench", "throughput", "--model", str(model), *options])
    assert "windows/s" in capfd.readouterr().out
    whoplays.main(["bench", "report", target])
    assert "## Throughput of tiny 0.1 on " in capfd.readouterr().out


def test_results_that_differ_are_shown_and_fail(
    throughput: ThroughputResult, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (cell,) = throughput.cells
    wrong = msgspec.structs.replace(cell, batch=8, max_abs_diff=0.25, agrees=False)
    differing = msgspec.structs.replace(throughput, cells=(cell, wrong), tolerance=MAX_DIFFERENCE)
    monkeypatch.setattr("whoplays.bench.cli.measure_throughput", lambda *_: differing)
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["bench", "throughput"])
    out, err = capfd.readouterr()
    assert leaving.value.code == 1
    assert "2.5e-01 TOO LARGE" in out
    assert (
        err == "whoplays: batch 8, threads 1: the probabilities differ from the reference by 0.25; 1e-04 is allowed\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("latency --model nobody", "no model 'nobody'"),
        ("latency --windows 0", "0 windows make no sense"),
        ("latency --windows many", "many"),
        ("latency --json /dev/null/result.json", "cannot write a result to /dev/null/result.json"),
        ("latency --json /proc/result.json", "cannot write a result to /proc/result.json"),
        ("throughput --model nobody", "no model 'nobody'"),
        ("throughput --batches 0", "--batches '0' makes no sense"),
        ("throughput --threads one", "--threads 'one' makes no sense"),
        ("throughput --seconds 0", "measuring for 0.0 s makes no sense"),
        ("report missing.json", "missing.json cannot be read"),
        ("soak --model nobody --streams 1", "no model 'nobody'"),
        ("soak --streams 0", "0 streams make no sense"),
        ("soak --minutes 0", "0 minutes make no sense"),
        ("soak --minutes nan", "nan minutes make no sense"),
        ("soak --loss 1", "a loss of 1 makes no sense"),
        ("speed", "speed"),
    ],
)
def test_each_mistake_gives_one_clear_line(arguments: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["bench", *arguments.split()])
    (line,) = capfd.readouterr().err.splitlines()
    assert leaving.value.code
    assert line.startswith("whoplays: ")
    assert message in line
