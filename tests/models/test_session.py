import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stream.tiny_model import write_tiny_model

LOADS = "import sys; from whoplays import Recognizer; Recognizer.load(sys.argv[1], 'cpu')"


def test_loading_a_model_reaches_no_network_and_leaves_no_file(tmp_path: Path) -> None:
    """onnxruntime would look its maker's collector up, and keep a device id."""
    if shutil.which("strace") is None or shutil.which("unshare") is None:
        pytest.skip("strace or unshare is not installed")
    alone = ("unshare", "--map-root-user", "--net")
    if subprocess.run([*alone, "strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process may be traced or have a network namespace of its own here")
    model, home, calls = write_tiny_model(tmp_path / "tiny"), tmp_path / "home", tmp_path / "calls"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    traced: tuple[str | Path, ...] = ("strace", "-f", "-o", calls, "-e", "trace=connect,sendto,sendmsg,sendmmsg")
    command: list[str | Path] = [*alone, *traced, sys.executable, "-B", "-c", LOADS, model]
    subprocess.run(command, env=environment | {"HOME": str(home)}, check=True, timeout=120)
    reached = [line for line in calls.read_text().splitlines() if "AF_" in line]
    assert (reached, list(home.rglob("*"))) == ([], [])
