import shlex
from pathlib import Path

import pytest

from whoplays.bench.cli import app
from whoplays.bench.report import page
from whoplays.bench.results import LatencyResult, ThroughputResult, read_result

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
COMMANDS = [line.strip() for line in DOCUMENT.read_text().splitlines() if line.startswith("    whoplays bench ")]


def test_the_page_is_made_from_the_results_that_are_kept() -> None:
    kept = [read_result(path) for path in sorted((ROOT / "bench" / "measured").glob("*.json"))]
    assert DOCUMENT.read_text() == page(kept)


@pytest.mark.parametrize("command", COMMANDS)
def test_documented_commands_are_understood(command: str) -> None:
    words = shlex.split(command.partition(">")[0])
    _, bound, _ = app.parse_args(words[2:], exit_on_error=False, print_error=False)
    assert bound.arguments


def test_each_result_is_a_section(latency: LatencyResult, throughput: ThroughputResult) -> None:
    shown = page([latency, throughput])
    assert "## Latency of tiny 0.1 on cpu\n\n    whoplays bench latency --model tiny\n" in shown
    assert "| due to received | 1.00 | 2.00 | 3.00 | 4.00 |" in shown
    assert "5 windows, one every 0.25 s: 4 received, 1 lost." in shown
    assert "| 1 | 1 | 10.0 | 9.0 | 11.0 | 1.00 | 0.0e+00 |" in shown
    assert "abacus, 2 cores, 4 GiB; Linux; python 3.11; model sha256 0123456789ab; load 0.1 before" in shown
