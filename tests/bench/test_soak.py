"""A short soak of the real daemon: what it accounts for, not how fast it is."""

from pathlib import Path

import pytest

from whoplays.bench.soak import measure_soak

ACCOUNTING = 7
MINUTES = 0.11
"""Two windows and a part of a third."""


@pytest.mark.slow
def test_four_streams_with_losses_account_for_every_sample(model: Path) -> None:
    result = measure_soak(str(model), 4, MINUTES, 0.05, "cpu")
    accounting = result.checks[:ACCOUNTING]
    assert [check for check in accounting if check.passed is False] == []
    assert [" ".join(check.name.split()[:2]) for check in accounting if check.passed] == [
        "samples in",
        "mismatches in",
        "messages lost",
        "sessions",
        "samples not",
        "samples in",
    ]
    lost = next(check for check in accounting if check.name == "samples in network gaps")
    assert int(lost.found) > 0
    assert [check.passed for check in result.checks[-2:]] == [True, True]
    options = f"--model {model} --streams 4 --minutes {MINUTES} --loss 0.05 --provider cpu"
    assert result.command == f"whoplays bench soak {options}"
