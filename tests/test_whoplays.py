"""The front door: quick to open, and one line for whatever goes wrong behind it."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import whoplays

ROOT = Path(__file__).parents[1]
HEAVY = ("onnxruntime", "torch", "lightning", "cyclopts", "zmq", "soundfile", "numpy", "sklearn")


def loaded_by(code: str) -> set[str]:
    """The heavy packages that some code loads, in a process of its own."""
    report = f"import atexit, sys; atexit.register(lambda: print(*set(sys.modules) & set({HEAVY}))); {code}"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stdout.split())


def complaint(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error with which the command fails."""
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(arguments)
    assert leaving.value.code
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("whoplays: ")
    return line


def test_importing_loads_nothing_heavy() -> None:
    assert loaded_by("import whoplays") == set()


def test_the_recognizer_loads_the_runtime_only_with_a_model() -> None:
    assert "onnxruntime" not in loaded_by("import whoplays; whoplays.Recognizer")


def test_listening_loads_nothing_that_trains() -> None:
    loaded = loaded_by(
        "import whoplays, whoplays.stream.cli.listen, whoplays.stream.cli.watch; whoplays.listen, whoplays.Subscriber"
    )
    assert not loaded & {"torch", "lightning", "sklearn", "onnxruntime"}


@pytest.mark.parametrize("verb", ["train", "evaluate", "export", "listen", "models"])
def test_a_wrong_option_is_refused_before_anything_heavy_is_loaded(verb: str) -> None:
    loaded = loaded_by(f"import whoplays; whoplays.main([{verb!r}, '--nonsense', '1'])")
    assert not loaded & {"torch", "lightning", "onnxruntime"}


def test_all_that_is_promised_is_there() -> None:
    for name in whoplays.__all__:
        assert getattr(whoplays, name)


def test_what_is_not_promised_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'whoplays' has no attribute 'play'"):
        _ = whoplays.play


@pytest.mark.parametrize("name", [name for name in whoplays.__all__ if name.endswith("Error")])
def test_one_error_catches_all(name: str) -> None:
    assert issubclass(getattr(whoplays, name), whoplays.WhoplaysError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("sing", "sing"),
        ("listen --nonsense", "--nonsense"),
        ("train", "is missing; see: whoplays train --help"),
        ("serve", "CONFIG is missing; see: whoplays serve --help"),
        ("serve a b", "whoplays serve takes no such argument: 'b'; see: whoplays serve --help"),
        ("listen --hop", "--hop lacks its value; see: whoplays listen --help"),
        ("listen - --rate 1.5", "--rate must be a whole number, got 1.5; see: whoplays listen --help"),
        ("bench soak --streams 2.5", "--streams must be a whole number, got 2.5; see: whoplays bench soak --help"),
        ("listen - --hop often", "--hop must be a number, got often; see: whoplays listen --help"),
        ("keys make", "NAME is missing; see: whoplays keys make --help"),
        ("train lasagne --data . --out run", "recipe 'lasagne' not found"),
        ("train duo-rawcnn --data missing --out run", "corpus not found in missing"),
        ("train band-mobilenet --data missing --out run --epochs 0", "--epochs must be at least 1, got 0"),
        (
            "train band-mobilenet --data missing --out run --bank-windows -1",
            "--prepared-windows must be at least 1, got -1",
        ),
        ("train band-mobilenet --data missing --out run --seed -1", "--seed must be at least 0, got -1"),
        ("train band-mobilenet --data missing --out run --threads 0", "--threads must be at least 1, got 0"),
        ("train band-mobilenet --data missing --out run --epochs many", "many"),
        ("train band-mobilenet --data missing --out run --accelerator abacus", "abacus"),
        ("evaluate missing", "missing is not a run"),
        ("evaluate missing --threads 0", "--threads must be at least 1, got 0"),
        ("export missing --name Bad", "use small letters"),
        ("export missing --name fine --cache .", "missing is not a run"),
        ("listen missing.wav --no-publish --model nobody", "file missing.wav not found"),
    ],
)
def test_each_mistake_gives_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert message in complaint(arguments.split(), capfd)


ENGINE = {"av", "numpy", "onnxruntime", "prometheus_client", "sounddevice", "soundfile", "soxr", "structlog"}
TRAINING = {"lightning", "matplotlib", "mido", "onnx", "onnxscript", "scipy", "sklearn", "torch", "torchaudio"}


HIDE = """
import sys

class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {packages}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
import whoplays
"""


def run_without(packages: set[str], code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run some code in a process and folder of its own, as if packages were not installed."""
    command = [sys.executable, "-c", HIDE.format(packages=packages) + code]
    path = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=path, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "package", "extras"),
    [
        ("train duo-rawcnn --data . --out run", "lightning", "cpu,train"),
        ("evaluate run", "torch", "cpu,train"),
        ("export run --name n", "onnx", "cpu,train"),
        ("render", "mido", "cpu,train"),
        ("evaluate run", "numpy", "cpu,train"),
        ("bench latency", "numpy", "cpu"),
        ("bench soak", "psutil", "cpu,bench"),
        ("demo", "numpy", "cpu"),
        ("devices", "numpy", "cpu"),
        ("listen", "numpy", "cpu"),
        ("send", "numpy", "cpu"),
        ("serve", "numpy", "cpu"),
    ],
)
def test_missing_extra_gives_one_line(tmp_path: Path, arguments: str, package: str, extras: str) -> None:
    (tmp_path / "index.csv").write_text("path,labels,group\n")
    done = run_without({package}, f"whoplays.main({arguments.split()})", tmp_path)
    needs = f"pip install -c constraints.txt '.[{extras}]'"
    verb = arguments.split(maxsplit=1)[0]
    assert done.stderr == f"whoplays: {package} is not installed; whoplays {verb} needs: {needs}\n"
    assert done.returncode == 1


@pytest.mark.parametrize(
    "code",
    [
        "[getattr(whoplays, name) for name in whoplays.__all__ if name not in {'Recognizer', 'listen'}]",
        "whoplays.main(['--help'])",
        "whoplays.main(['--version'])",
        "whoplays.main(['watch', '--help'])",
        "whoplays.main(['keys', 'make', 'hall', '--folder', '.'])",
        "whoplays.main(['models'])",
        "whoplays.main(['history', '--help'])",
        "whoplays.main(['--install-completion', '--shell', 'bash', '--output', 'completion'])",
    ],
)
def test_base_installation_is_enough(tmp_path: Path, code: str) -> None:
    done = run_without(ENGINE | TRAINING, code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_unknown_verb_gives_one_line_without_extras(tmp_path: Path) -> None:
    done = run_without(ENGINE | TRAINING, "whoplays.main(['lissten'])", tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert '"listen"' in done.stderr


@pytest.mark.parametrize(
    ("verb", "place", "told"),
    [
        ("evaluate", "whoplays.training.cli.evaluate", "stopped"),
        ("train", "whoplays.training.cli.train", "stopped; the same command continues"),
        ("render", "whoplays.training.cli.render", "stopped; the same command continues"),
    ],
)
def test_who_stops_a_command_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], verb: str, place: str, told: str
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module(place), verb, interrupted)
    with pytest.raises(SystemExit) as leaving:
        whoplays.main([verb])
    assert leaving.value.code == 130
    assert capfd.readouterr().err == f"whoplays: {told}\n"


@pytest.mark.parametrize("arguments", ["models", "models band-melcnn", "listen missing.wav", "lissten"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_a_closed_standard_stream_is_no_traceback(tmp_path: Path, arguments: str, closed: str) -> None:
    errors = tmp_path / "errors"
    with errors.open("w") as file:
        command = f'exec "$0" -m whoplays {arguments} {closed}'
        subprocess.run(["sh", "-c", command, sys.executable], stdout=subprocess.DEVNULL, stderr=file, check=False)
    assert len(errors.read_text().splitlines()) <= 1


@pytest.mark.parametrize("arguments", ["models", "models band-melcnn", "--help", "keys list"])
def test_who_reads_a_part_only_gets_no_error(arguments: str, tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "whoplays", *arguments.split()]
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, env=environment, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_of_another_encoding_is_no_traceback(tmp_path: Path) -> None:
    for encoding in ("ascii", "latin-1"):
        command = [sys.executable, "-m", "whoplays", "keys", "make", "Bühne №1", "--folder", str(tmp_path / encoding)]
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert b"Traceback" not in done.stderr
        assert done.returncode in {0, 1}


def test_without_docstrings_and_assertions_it_works(tmp_path: Path) -> None:
    for arguments in (["--help"], ["models"], ["listen", "--help"], ["keys", "list", "--folder", str(tmp_path)]):
        command = [sys.executable, "-OO", "-m", "whoplays", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_an_error_about_a_name_of_others_controls_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert r"file \x1b[2J.wav not found" in complaint(["listen", "\x1b[2J.wav", "--no-publish"], capfd)


@pytest.mark.parametrize("arguments", [["help"], ["help", "keys"], ["-V"]])
def test_help_and_version_have_their_usual_other_names(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    whoplays.main(arguments)
    assert capsys.readouterr().out


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    whoplays.main(["--version"])
    assert capsys.readouterr().out.strip() == whoplays.__version__
