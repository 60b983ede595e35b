"""Provoke every fault, and write docs/reliability.md: python -m tests.stream.faults."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.stream.faults.page import MODULES, PAGE, declared, render
from tests.stream.faults.times import Times
from tests.stream.tiny_model import write_tiny_model
from whoplays.bench.conditions import current_conditions, describe, load_average, model_info
from whoplays.models.card import read_card


class Recorder:
    """A plugin that keeps the times that tests record."""

    def __init__(self) -> None:
        self.measured: dict[str, Times] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            told: dict[str, Any] = dict(report.user_properties)
            self.measured[report.nodeid.rpartition("::")[2]] = Times(**told)


def main() -> None:
    """Fails if a test does, or is skipped: then the page stays as it is."""
    load, recorder = load_average(), Recorder()
    pytest.main([str(Path(__file__).with_name(f"{module}.py")) for module in MODULES], plugins=[recorder])
    rows = declared()
    unproven = [row.test for row in rows if row.test not in recorder.measured]
    if unproven:
        sys.exit(f"not proven: {', '.join(unproven)}; {PAGE} stays as it is")
    PAGE.write_text(render(rows, recorder.measured, _conditions(load)), encoding="utf-8")
    print(f"wrote {PAGE}")


def _conditions(load: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        card = read_card(write_tiny_model(Path(folder)))
    return f"A tiny model on cpu. {describe(current_conditions(model_info(card), 'cpu', load))}"


if __name__ == "__main__":
    main()
