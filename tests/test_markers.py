"""Where everything should be installed, a test that misses something fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
SKIPPED = """
import pytest

def test_without_package():
    pytest.skip("fluidsynth is not installed")

def test_without_gpu():
    pytest.skip("there is no GPU here")
"""


@pytest.mark.parametrize(("ci", "told"), [("true", "1 failed, 1 skipped"), ("", "2 skipped")])
def test_what_is_not_installed_fails_in_ci(tmp_path: Path, ci: str, told: str) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"))
    (tests / "test_any.py").write_text(SKIPPED)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tests)]
    environment = os.environ | {"CI": ci}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert told in done.stdout
