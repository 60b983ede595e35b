"""The source distribution and the wheel that is built from it, without a network."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

import whoplays

ROOT = Path(__file__).parents[1]
ROOMS = ("bench", "export", "models", "stream", "training")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
INFO = f"whoplays-{whoplays.__version__}.dist-info"

pytestmark = pytest.mark.slow


class Packages(NamedTuple):
    source: Path
    """The unpacked source distribution."""
    wheel: Path
    installed: Path
    """A folder with what the wheel puts into site-packages."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("setuptools 77 is not installed")
    folder = tmp_path_factory.mktemp("packages")
    not_source = shutil.ignore_patterns(
        ".git", ".venv", ".*_cache", "__pycache__", "*.egg-info", "build", "dist", "runs"
    )
    shutil.copytree(ROOT, folder / "checkout", symlinks=True, ignore=not_source)
    build(folder / "checkout", "build_sdist", folder)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    source = folder / f"whoplays-{whoplays.__version__}"
    build(source, "build_wheel", folder)
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return Packages(source, wheel, folder / "installed")


def build(checkout: Path, what: str, out: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BUILD, what, out], cwd=checkout, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_source_has_what_builds_and_tests(packages: Packages) -> None:
    for room in ROOMS:
        assert (packages.source / "whoplays" / room).readlink() == Path("..", room)
    for name in (".ci/run", "Makefile", "constraints.txt", "docs/deploy/Containerfile", "tests/data/violin.ogg"):
        assert (packages.source / name).is_file()
    own = {path.relative_to(ROOT) for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*.py")}
    assert {path for path in own if not (packages.source / path).is_file()} == set()


def test_wheel_puts_nothing_but_whoplays_into_site_packages(packages: Packages) -> None:
    tops = {name.partition("/")[0] for name in names_in(packages.wheel)}
    assert tops == {"whoplays", INFO, INFO.replace(".dist-info", ".data")}


def test_wheel_has_every_module_and_what_they_read(packages: Packages) -> None:
    suffixes = {".py", ".json", ".onnx", ".ogg", ".typed"}
    found = {path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in suffixes}
    wanted = {f"whoplays/{path.relative_to(ROOT)}" for path in found} | {"whoplays/py.typed", "whoplays/command.py"}
    assert wanted - names_in(packages.wheel) == set()


def test_wheel_has_licences_man_page_and_completions(packages: Packages) -> None:
    names = names_in(packages.wheel)
    for licence in ("LICENSE", "NOTICE", "LICENSES/MIT-AudioKit.txt"):
        assert f"{INFO}/licenses/{licence}" in names
    assert "whoplays/stream/demo/ATTRIBUTION.md" in names
    share = ROOT / "docs" / "share"
    for path in (path for path in share.rglob("*") if path.is_file()):
        assert any(name.endswith(f"/data/share/{path.relative_to(share)}") for name in names)


def test_base_dependencies_are_those_of_a_subscriber(packages: Packages) -> None:
    metadata = Parser().parsestr((packages.installed / INFO / "METADATA").read_text(encoding="utf-8"))
    assert metadata["Version"] == whoplays.__version__
    base = {need.partition(">")[0] for need in metadata.get_all("Requires-Dist", []) if ";" not in need}
    assert base == {"cyclopts", "msgspec", "platformdirs", "pyzmq", "rich"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-c", "import whoplays; print(whoplays.Subscriber, whoplays.__file__)"], "installed"),
        (["-m", "whoplays", "--version"], whoplays.__version__),
        (["-m", "whoplays", "models"], "(default)"),
        (["-m", "whoplays", "listen", "DEMO", "--speed", "max", "--json", "--no-publish"], '"reason":"finished"'),
    ],
)
def test_wheel_runs_beside_modules_of_the_same_names(
    packages: Packages, tmp_path: Path, arguments: list[str], told: str
) -> None:
    for room in ROOMS:
        (tmp_path / f"{room}.py").write_text("raise ImportError('not this one')\n")
    clip = str(packages.installed / "whoplays" / "stream" / "demo" / "concert.ogg")
    command = [sys.executable, *(clip if word == "DEMO" else word for word in arguments)]
    path = os.environ | {"PYTHONPATH": str(packages.installed)}
    done = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout


def test_installed_command_names_the_extra_by_the_packages_name(packages: Packages, tmp_path: Path) -> None:
    hide = "import sys; sys.modules['numpy'] = None; import whoplays; whoplays.main(['listen', 'a.wav'])"
    path = os.environ | {"PYTHONPATH": str(packages.installed)}
    done = subprocess.run(
        [sys.executable, "-c", hide], cwd=tmp_path, env=path, capture_output=True, text=True, check=False, timeout=60
    )
    needs = "pip install 'whoplays[cpu]'"
    assert done.stderr == f"whoplays: numpy is not installed; whoplays listen needs: {needs}\n"
