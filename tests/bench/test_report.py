import shlex
from pathlib import Path

import pytest

from whoplays.bench.cli import app
from whoplays.bench.report import HEAD_PATH, make_page
from whoplays.bench.results import LatencyResult, SoakResult, ThroughputResult, read_result

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
COMMANDS = [line.strip() for line in PAGE.read_text().splitlines() if line.startswith("    whoplays bench ")]


def test_the_page_is_made_from_the_results_that_are_kept() -> None:
    kept = [read_result(path) for path in sorted((ROOT / "bench" / "measured").glob("*.json"))]
    assert PAGE.read_text() == make_page(kept), "run: whoplays bench report bench/measured/*.json > docs/benchmarks.md"


@pytest.mark.parametrize("command", COMMANDS)
def test_documented_commands_are_understood(command: str) -> None:
    words = shlex.split(command.partition(">")[0])
    _, bound, _ = app.parse_args(words[2:], exit_on_error=False, print_error=False)
    assert bound.arguments


def test_without_results_it_says_so() -> None:
    assert make_page([]).startswith(HEAD_PATH.read_text())
    assert "Nothing has been measured yet." in make_page([])


def test_each_result_is_a_section(
    latency: LatencyResult, throughput: ThroughputResult, failed_soak: SoakResult
) -> None:
    page = make_page([latency, throughput, failed_soak])
    assert "## Latency of tiny 0.1 on cpu\n\n    whoplays bench latency --model tiny\n" in page
    assert "| due to received | 1.00 | 2.00 | 3.00 | 4.00 |" in page
    assert "5 windows, one every 0.25 s: 4 received, 1 lost." in page
    assert "| 1 | 1 | 10.0 | 9.0 | 11.0 | 1.00 | 0.0e+00 |" in page
    assert "abacus, 2 cores, 4 GiB; Linux; python 3.11; model sha256 0123456789ab; load 0.1 before" in page
    assert "## Soak of tiny 0.1 on cpu\n\n    whoplays bench soak\n" in page
    assert "| uncovered | 1, first: hall | 0 | FAILED |\n| sessions | 2 | 2 | passed |" in page
    assert "| open files | run too short |  | - |" in page
    assert "2 streams for 1 min, 1.00% of the packets withheld. Lag in ms: p50 1.00" in page
