"""What is compared, and what is said of it; never which is faster on this machine."""

import subprocess
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

import whoplays
from whoplays.bench import compare
from whoplays.bench.compare import compare_commits, compare_models, compare_results, installed
from whoplays.bench.processes import WHOPLAYS
from whoplays.bench.report import make_table
from whoplays.bench.results import ComparisonResult, LatencyResult, ThroughputResult, write_result
from whoplays.models.errors import OptionError


def written(result: LatencyResult | ThroughputResult, path: Path) -> Path:
    write_result(result, str(path))
    return path


def with_samples(latency: LatencyResult, infer_us: int) -> LatencyResult:
    return msgspec.structs.replace(latency, samples_us={"send": [100] * 100, "infer": [infer_us] * 100})


def test_the_same_times_cannot_be_told_apart_and_longer_ones_are_slower(latency: LatencyResult, tmp_path: Path) -> None:
    first = written(with_samples(latency, 900), tmp_path / "a.json")
    second = written(with_samples(latency, 1900), tmp_path / "b.json")
    assert compare_results(first, first).time_ratio.verdict == "cannot tell"
    slower = compare_results(first, second)
    assert (slower.time_ratio.ratio, slower.time_ratio.verdict) == (2.0, "slower")
    assert f"{second} is slower: {second} takes 2.000 times as long as {first}" in make_table(slower).caption
    assert compare_results(second, first).time_ratio.verdict == "faster"


def test_results_without_samples_or_of_different_verbs_are_refused(
    latency: LatencyResult, throughput: ThroughputResult, tmp_path: Path
) -> None:
    bare = written(latency, tmp_path / "bare.json")
    full = written(with_samples(latency, 900), tmp_path / "full.json")
    (row,) = throughput.rows
    row = msgspec.structs.replace(row, rates=msgspec.structs.replace(row.rates, rounds=(10.0, 11.0)))
    other = written(msgspec.structs.replace(throughput, rows=(row,)), tmp_path / "other.json")
    with pytest.raises(OptionError, match=r"bare\.json must be a result of bench latency or throughput with"):
        compare_results(full, bare)
    with pytest.raises(OptionError, match="must be of the same verb"):
        compare_results(full, other)


def test_two_models_take_turns(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "TURN_S", 0.001)
    result = compare_models(str(model), str(model), 6, "cpu")
    assert [len(rounds) for rounds in result.rounds_ms] == [6, 6]
    assert result.time_ratio.low <= result.time_ratio.ratio <= result.time_ratio.high
    assert msgspec.json.decode(msgspec.json.encode(result), type=ComparisonResult) == result


@pytest.mark.slow
def test_two_commands_take_turns(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other commit is this one here."""
    monkeypatch.setattr(compare, "installed", lambda _: nullcontext(list(WHOPLAYS)))
    monkeypatch.setattr(compare, "WINDOWS", 2)
    monkeypatch.setattr(compare, "ROUNDS", (1, 2))
    result = compare_commits("HEAD", str(model), 0.1, 1, "cpu")
    assert [[len(times) for times in rounds] for rounds in result.rounds_ms] == [[2], [2]]
    assert result.command.startswith("whoplays bench compare --against HEAD")


def test_a_commit_that_cannot_be_installed_leaves_no_worktree() -> None:
    root = Path(__file__).parents[2]
    before = subprocess.run(["git", "-C", root, "worktree", "list"], capture_output=True, check=False).stdout
    with pytest.raises(OptionError, match="git failed: "), installed("no-such-commit"):
        pass
    after = subprocess.run(["git", "-C", root, "worktree", "list"], capture_output=True, check=False).stdout
    assert after == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("default", "give two models, two files of results, or --against COMMIT"),
        ("default default --against HEAD", "give two models, two files of results, or --against COMMIT"),
        ("default nobody", "model 'nobody' not found"),
        ("a.json b.json", "a.json cannot be read"),
        ("default default --rounds 2", "rounds must be between 6 and 1000, got 2"),
    ],
)
def test_mistakes_are_told_in_a_line(options: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        whoplays.main(["bench", "compare", *options.split()])
    (line,) = capfd.readouterr().err.splitlines()
    assert message in line
