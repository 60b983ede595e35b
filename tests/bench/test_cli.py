from pathlib import Path

import msgspec
import pytest

import whoplays
from whoplays.bench.cli import parse_numbers
from whoplays.bench.results import SoakResult, ThroughputResult
from whoplays.models.card import MAX_DIFFERENCE
from whoplays.models.errors import OptionError


def test_throughput_is_kept_and_reported(model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "throughput.json")
    options = ["--batches", "1,2", "--threads", "1", "--seconds", "0.01", "--json", target]
    whoplays.main(["bench", "throughput", "--model", str(model), *options])
    assert "windows/s" in capfd.readouterr().out
    whoplays.main(["bench", "report", target])
    assert "## Throughput of tiny 0.1 on " in capfd.readouterr().out


def test_probabilities_that_differ_are_shown_and_fail(
    throughput: ThroughputResult, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (row,) = throughput.rows
    wrong = msgspec.structs.replace(row, batch=8, max_abs_diff=0.25, agrees=False)
    differing = msgspec.structs.replace(throughput, rows=(row, wrong), tolerance=MAX_DIFFERENCE)
    monkeypatch.setattr("whoplays.bench.cli.measure_throughput", lambda *_: differing)
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["bench", "throughput"])
    out, err = capfd.readouterr()
    assert leaving.value.code == 1
    assert "2.5e-01 TOO LARGE" in out
    assert (
        err == "whoplays: batch 8, threads 1: the probabilities differ from the reference by 0.25; 1e-04 is allowed\n"
    )


def test_a_soak_that_fails_is_shown_and_fails(
    failed_soak: SoakResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("whoplays.bench.soak.measure_soak", lambda *_: failed_soak)
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["bench", "soak", "--json", str(tmp_path / "soak.json")])
    out, err = capfd.readouterr()
    assert leaving.value.code == 1
    assert "FAILED" in out
    assert err == "whoplays: failed: uncovered: 1, first: hall\n"
    assert msgspec.json.decode((tmp_path / "soak.json").read_bytes(), type=SoakResult) == failed_soak


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("latency --model nobody", "model 'nobody' not found"),
        ("latency --windows 0", "windows must be between 1 and 1000000, got 0"),
        ("latency --windows many", "many"),
        ("latency --json /dev/null/result.json", "cannot write a result to /dev/null/result.json"),
        ("latency --json /proc/result.json", "cannot write a result to /proc/result.json"),
        ("throughput --model nobody", "model 'nobody' not found"),
        ("throughput --batches 0", "--batches must be numbers between 1 and 1024"),
        ("throughput --threads one", "--threads must be numbers between 1 and 256"),
        ("throughput --seconds 0", "seconds must be between 0.001 and 86400, got 0"),
        ("throughput --baseline yamnet", "--baseline must be NAME=FILE.tflite, got yamnet"),
        ("throughput --peer yamnet=none", "file none not found"),
        ("report missing.json", "missing.json cannot be read"),
        ("soak --model nobody --streams 1", "model 'nobody' not found"),
        ("soak --streams 0", "streams must be between 1 and 1000, got 0"),
        ("soak --minutes 0", "minutes must be between 0.05 and 525600, got 0"),
        ("soak --minutes nan", "minutes must be between 0.05 and 525600, got nan"),
        ("soak --loss 1", "loss must be between 0 and 0.99, got 1"),
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


@pytest.mark.parametrize(("text", "numbers"), [("1", (1,)), ("8, 1,2,2", (1, 2, 8)), ("1024", (1024,))])
def test_numbers_are_sorted_and_each_is_there_once(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_numbers(text, "--batches", 1024) == numbers


@pytest.mark.parametrize("text", ["", ",", "1,", "0", "-1", "1.5", "many", "1025"])
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"--batches .*between 1 and 1024"):
        parse_numbers(text, "--batches", 1024)
