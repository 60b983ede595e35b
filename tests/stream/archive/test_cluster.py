"""Labels from a Ray cluster are those of one machine, also when a part of it dies."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.stream.archive.test_label import label, table

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is large and no part of the tests' environment: install whoplays[ray]"
)
OWN_ADDRESS_IS_SOUGHT = "8.8.8.8"
"""A datagram socket is led there, by which nothing is sent."""


@pytest.fixture
def season(tmp_path: Path, concert: Path) -> Path:
    """Twenty-four recordings, some of them damaged."""
    folder = tmp_path / "season"
    folder.mkdir()
    whole = concert.read_bytes()
    for number in range(24):
        (folder / f"{number:02d}.wav").write_bytes(whole[:900_000] if number % 8 == 3 else whole + bytes(4 * number))
    return folder


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head that does no work, and two nodes of one core each; they are processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setattr("ray._private.node.Node.start_api_server", lambda *_, **__: None)
        made = __import__("ray.cluster_utils", fromlist=["Cluster"]).Cluster()
        made.add_node(num_cpus=0, include_dashboard=False)
        for _ in range(2):
            made.add_node(num_cpus=1, object_store_memory=100_000_000)
        try:
            made.wait_for_nodes()
            yield made
        finally:
            made.shutdown()


def results(out: Path) -> dict[str, bytes]:
    """Every file of a run."""
    files = (path for path in out.rglob("*") if path.is_file() and ".whoplays" not in path.parts)
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def is_own(address: str) -> bool:
    """Whether it is one of this machine's."""
    try:
        socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET).close()
    except OSError:
        return False
    return True


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_cluster_that_loses_a_machine_has_the_same_results(
    season: Path, model: Path, tmp_path: Path, cluster: Any
) -> None:
    options = ("--model", model, "--hop", "0.05", "--format", "csv", "--format", "jams")
    here = label(season, "--out", tmp_path / "here", *options)
    command = [sys.executable, "-m", "whoplays", "label", season, "--out", tmp_path / "there", *options]
    with subprocess.Popen(
        [*map(str, command), f"--ray={cluster.address}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            first = process.stdout.readline()
            cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
            rest, told = process.communicate(timeout=300)
        finally:
            process.kill()
    assert (process.returncode, here.returncode) == (1, 1)
    assert told == here.stderr.replace("here", "there")
    assert sorted([first, *rest.splitlines(keepends=True)]) == sorted(here.stdout.splitlines(keepends=True))
    assert results(tmp_path / "there") == results(tmp_path / "here")
    # What a cluster has done, one machine goes on with, and the other way round.
    assert label(season, "--out", tmp_path / "there", *options).stdout == ""


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_cluster_of_ones_own_reaches_no_other_machine(season: Path, model: Path, tmp_path: Path) -> None:
    """Ray would report to its maker how it is used, and ask around for which cloud it is in."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process may be traced here")
    calls, home = tmp_path / "calls", tmp_path / "home"
    home.mkdir()
    command = ["strace", "-f", "-o", calls, "-e", "trace=connect", sys.executable, "-m", "whoplays", "label"]
    options = [season / "00.wav", "--out", tmp_path / "labels", "--model", model, "--workers", "1", "--ray"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [*map(str, command), *map(str, options)],
        env=environment | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = re.findall(r'(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"', calls.read_text())
    assert found
    others = {address.removeprefix("::ffff:") for address in found} - {OWN_ADDRESS_IS_SOUGHT}
    assert [address for address in others if not is_own(address)] == []
    # By which its processes know each other.
    assert {path.name for path in home.rglob("*")} <= {".ray", "auth_token"}
    assert len(table(tmp_path / "labels" / "files.csv")) == 1


@needs_ray
@pytest.mark.parametrize(
    ("address", "mistake"),
    [("127.0.0.1:1", "Connection refused"), ("ray://a:1", "its address must be HOST:PORT or auto")],
)
def test_a_cluster_that_is_not_there_is_one_line(
    concert: Path, model: Path, tmp_path: Path, address: str, mistake: str
) -> None:
    done = label(concert, "--out", tmp_path / "labels", "--model", model, f"--ray={address}")
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert mistake in line


def test_what_a_cluster_needs_is_named_if_it_is_missing(concert: Path, model: Path, tmp_path: Path) -> None:
    script = "import sys; sys.modules['ray'] = None; import whoplays; whoplays.main(sys.argv[1:])"
    arguments = ("label", str(concert), "--model", str(model), "--ray")
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert done.stderr == "whoplays: --ray needs Ray; install whoplays[ray]\n"
