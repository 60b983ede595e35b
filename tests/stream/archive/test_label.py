"""Labels of recordings: those of live, in every format, and a run that can be stopped, killed and gone on with."""

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

import whoplays
from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.archive.annotation import Annotation
from whoplays.stream.archive.labelling import Labeller, WorkerOptions
from whoplays.stream.archive.recordings import find_recordings, stamp
from whoplays.stream.archive.results import LabelOptions, ResultFolder
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import Event, Message

WHOPLAYS = (sys.executable, "-m", "whoplays")


def label(*arguments: str | Path, data: str = "") -> subprocess.CompletedProcess[str]:
    command = [*WHOPLAYS, "label", *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, text=True, check=False, timeout=120)


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.fixture
def folder(tmp_path: Path, concert: Path) -> Path:
    """Two recordings, one of them damaged, and a file that is none."""
    found = tmp_path / "season" / "may"
    found.mkdir(parents=True)
    shutil.copy(concert, found / "one.wav")
    (found / "cut.wav").write_bytes(concert.read_bytes()[:1_200_000])
    (found / "notes.txt").write_text("no audio")
    return found.parent


def test_events_are_those_of_live(concert: Path, recognizer: Recognizer) -> None:
    events: dict[int, list[float | str]] = {}
    for message in whoplays.listen(concert, model=recognizer, hop_s=0.5, speed="max"):
        if isinstance(message, Event):
            if message.phase == "start":
                events[message.id] = [message.at / 44_100, 0.0, message.label]
            else:
                events[message.id][1] = message.at / 44_100
    found = whoplays.label(concert, model=recognizer, hop_s=0.5)
    assert len(found.events) == len(events) > 1
    for each, live in zip(found.events, sorted(events.values(), key=lambda event: event[::2]), strict=True):
        assert [each.start_s, each.end_s, each.label] == [pytest.approx(live[0]), pytest.approx(live[1]), live[2]]
    assert found.duration_s == 12.0
    assert found.shares == {"piano": pytest.approx(0.6, abs=0.2), "violin": pytest.approx(0.6, abs=0.2)}
    assert whoplays.label(concert, model=recognizer, hop_s=0.5, min_probability=1.0).events == ()


def test_every_format_has_the_same_events(concert: Path, model: Path, tmp_path: Path) -> None:
    formats = ("csv", "audacity", "raven", "jams", "markers", "jsonl")
    options = [word for form in formats for word in ("--format", form)]
    done = label(concert, "--out", tmp_path, "--model", model, "--hop", "0.5", *options, "--parquet")
    assert (done.returncode, done.stderr) == (0, "")
    rows = table(tmp_path / "concert.wav.csv")
    spans = [(float(row["start_s"]), float(row["end_s"]), row["label"]) for row in rows]
    assert len(spans) > 1
    audacity = [line.split("\t") for line in (tmp_path / "concert.wav.txt").read_text().splitlines()]
    assert [(float(start), float(end), who) for start, end, who in audacity] == spans
    raven = table(tmp_path / "concert.wav.selections.txt", "\t")
    assert [(float(row["Begin Time (s)"]), float(row["End Time (s)"]), row["Label"]) for row in raven] == spans
    markers = table(tmp_path / "concert.wav.markers.csv")
    assert [(float(row["Start"]), float(row["End"]), row["Name"]) for row in markers] == spans
    jams = json.loads((tmp_path / "concert.wav.jams").read_text())["annotations"][0]["data"]
    assert [(each["time"], each["time"] + each["duration"], each["value"]) for each in jams] == spans
    lines = (tmp_path / "concert.wav.jsonl").read_text().splitlines()
    messages = [msgspec.json.decode(line, type=Message) for line in lines]
    assert sum(isinstance(each, Event) and each.phase == "start" for each in messages) == len(spans)
    combined = table(tmp_path / "events.csv")
    assert [(float(row["start_s"]), float(row["end_s"]), row["label"]) for row in combined] == spans
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    found = parquet.read_table(tmp_path / "events.parquet").to_pylist()
    assert [(row["start_s"], row["end_s"], row["label"]) for row in found] == spans


@pytest.mark.filterwarnings("ignore:Passing a schema to Validator:DeprecationWarning")  # jams does
def test_jams_is_valid_and_frames_and_plots_are_made(concert: Path, recognizer: Recognizer, tmp_path: Path) -> None:
    found = whoplays.label(concert, model=recognizer)
    jams = pytest.importorskip("jams", reason="jams is not installed")
    (tmp_path / "concert.jams").write_text(found.to_jams())
    loaded = jams.load(str(tmp_path / "concert.jams"))
    assert loaded.validate()
    assert loaded.annotations[0].namespace == "tag_open"
    assert list(found.to_dataframe()["label"]) == [event.label for event in found.events]
    found.plot().savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_what_a_package_is_missing_for_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    empty = Annotation(path="x", duration_s=3.0, model="m", hop_s=1.0, events=())
    with pytest.raises(OptionError, match="a data frame needs pandas; install it with pip"):
        empty.to_dataframe()


def test_a_second_call_does_only_what_is_missing_and_a_damaged_file_costs_the_others_nothing(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels"
    options = ("--out", out, "--model", model, "--hop", "1")
    first = label(folder, *options)
    assert first.returncode == 1
    assert [Path(json.loads(line)["file"]).name for line in first.stdout.splitlines()] == ["cut.wav", "one.wav"]
    assert "whoplays: 1 of 2 recordings failed" in first.stderr
    cut, one = table(out / "files.csv")
    assert (cut["error"] != "", one["error"]) == (True, "")
    # What was there of it was heard.
    assert float(cut["duration_s"]) == pytest.approx(6.8, abs=0.1)
    assert (out / "may" / "one.wav.csv").is_file()
    shutil.copy(folder / "may" / "one.wav", folder / "two.wav")
    second = label(folder, *options)
    assert [Path(json.loads(line)["file"]).name for line in second.stdout.splitlines()] == ["two.wav"]
    assert "2 of 3 recordings were labelled before" in second.stderr
    shutil.copy(folder / "two.wav", folder / "may" / "cut.wav")
    third = label(folder, *options)
    assert third.returncode == 0
    assert len(third.stdout.splitlines()) == 1
    # Other options are other results.
    assert len(label(folder, "--out", out, "--model", model, "--hop", "2").stdout.splitlines()) == 3


def test_files_that_are_missing_are_written_without_labelling(concert: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    options = (concert, "--out", out, "--model", model)
    assert len(label(*options).stdout.splitlines()) == 1
    (out / "concert.wav.csv").unlink()
    assert label(*options, "--format", "csv", "--format", "jams").stdout == ""
    assert (out / "concert.wav.csv").read_text().startswith("start_s,")
    assert json.loads((out / "concert.wav.jams").read_text())["file_metadata"]["duration"] == 12.0
    # The messages are not kept: they are made anew.
    assert len(label(*options, "--format", "jsonl").stdout.splitlines()) == 1
    assert (out / "concert.wav.jsonl").read_text().startswith("{")
    # What the files of other options were is no result of these.
    assert len(label(*options, "--hop", "2").stdout.splitlines()) == 1
    assert len(label(*options, "--format", "jams").stdout.splitlines()) == 1


def test_one_run_at_a_time_has_a_folder(concert: Path, model: Path, tmp_path: Path) -> None:
    options = LabelOptions(model="m", hop_s=1.0, sensitivity="normal", min_probability=0.0)
    with ResultFolder(tmp_path / "labels", options):
        done = label(concert, "--out", tmp_path / "labels", "--model", model)
    assert done.returncode == 1
    assert done.stderr == f"whoplays: {tmp_path}/labels is in use by another whoplays label; wait for its end\n"
    (tmp_path / "labels" / ".whoplays" / "results.db").write_text("no database" * 100)
    assert "results.db is damaged" in label(concert, "--out", tmp_path / "labels", "--model", model).stderr


def test_what_failed_is_tried_again_on_request(folder: Path, model: Path, tmp_path: Path) -> None:
    options = (folder / "may" / "cut.wav", "--out", tmp_path / "labels", "--model", model)
    assert len(label(*options).stdout.splitlines()) == 1
    assert label(*options).stdout == ""
    assert len(label(*options, "--retry-failed").stdout.splitlines()) == 1


def test_files_are_found_once_by_patterns_and_lists(folder: Path, model: Path, tmp_path: Path) -> None:
    listed = f"{folder}/may/one.wav\n{folder}/may/*.wav\n{tmp_path}/missing.wav\n"
    done = label("-", f"{folder}/**/*.wav", folder, "--out", tmp_path / "labels", "--model", model, data=listed)
    names = sorted(Path(json.loads(line)["file"]).name for line in done.stdout.splitlines())
    assert names == ["cut.wav", "missing.wav", "one.wav"]
    errors = {Path(row["file"]).name: row["error"] for row in table(tmp_path / "labels" / "files.csv")}
    assert "not found" in errors["missing.wav"]


def test_files_of_one_name_are_kept_apart(tmp_path: Path, concert: Path, model: Path) -> None:
    for day in ("mon", "tue"):
        (tmp_path / day).mkdir()
        shutil.copy(concert, tmp_path / day / "c.wav")
    done = label(tmp_path / "mon" / "c.wav", tmp_path / "tue", "--out", tmp_path / "labels", "--model", model)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    assert len(table(tmp_path / "labels" / "files.csv")) == 2
    assert len(list((tmp_path / "labels").rglob("c.wav.csv"))) == 2


def test_what_goes_wrong_in_a_worker_costs_its_recording_alone(
    monkeypatch: pytest.MonkeyPatch, concert: Path, model: Path
) -> None:
    def full(*_: object) -> Iterator[Message]:
        raise OSError(27, "File too large")

    monkeypatch.setattr("whoplays.stream.archive.labelling.messages_of", full)
    labeller = Labeller(WorkerOptions(str(model), "cpu", 1.0, "normal", 0.0, messages=False))
    result = labeller.label(str(concert)).result
    assert (result.annotation, "File too large" in result.error) == (None, True)


def kept_results(out: Path) -> int:
    with closing(sqlite3.connect(out / ".whoplays" / "results.db")) as database:
        found: int = database.execute("SELECT count(*) FROM results").fetchone()[0]
    return found


@contextmanager
def labelling(folder: Path, out: Path, model: Path) -> Iterator[subprocess.Popen[str]]:
    """A run over many recordings, from when the first ones are done."""
    command = [*WHOPLAYS, "label", str(folder), "--out", str(out), "--model", str(model), "--hop", "0.05"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.fixture
def many(tmp_path: Path, concert: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02d}.wav").write_bytes(concert.read_bytes() + bytes(4 * number))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_goes_on_where_it_was(many: Path, model: Path, tmp_path: Path, number: int) -> None:
    out = tmp_path / "labels"
    with labelling(many, out, model) as process:
        process.send_signal(number)
        began_s = time.monotonic()
        _, told = process.communicate(timeout=30)
        assert time.monotonic() - began_s < 5
    if number != signal.SIGKILL:
        assert "the same command continues" in told
        assert process.returncode == 1
    # One table, once all are labelled.
    assert not (out / "files.csv").exists()
    kept = kept_results(out)
    assert 0 < kept < 40
    done = label(many, "--out", out, "--model", model, "--hop", "0.05")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 40 - kept)
    assert len(table(out / "files.csv")) == 40
    # Whole, or not at all.
    assert all(path.read_text().startswith("start_s,") for path in out.glob("*.wav.csv"))


@pytest.mark.slow
def test_a_worker_that_dies_costs_nothing_but_time(many: Path, model: Path, tmp_path: Path) -> None:
    with labelling(many, tmp_path / "labels", model) as process:
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout
        workers = [
            pid for pid in map(int, children.split()) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(workers[0], signal.SIGKILL)
        _, told = process.communicate(timeout=120)
        assert (process.returncode, told) == (0, "")
    assert len(table(tmp_path / "labels" / "files.csv")) == 40


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        ((), "recordings not given"),
        (("x.wav", "--hop", "5"), "hop must be between"),
        (("x.wav", "--min-probability", "2"), "min_probability must be between 0 and 1, got 2"),
        (("x.wav", "--workers", "0"), "workers must be between 1 and 256, got 0"),
        (("x.wav", "--model", "nobody"), "model 'nobody' not found"),
        (("x.wav", "--format", "mp3"), "Choose from"),
        (("x.wav", "--fromat", "csv"), "Unknown option: --fromat"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], mistake: str) -> None:
    done = label(*arguments, "--out", tmp_path / "labels")
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert mistake in line


def test_a_recording_that_is_no_use_is_an_error(tmp_path: Path, recognizer: Recognizer) -> None:
    with pytest.raises(SourceError, match="not found"):
        whoplays.label(tmp_path / "missing.wav", model=recognizer)


def test_the_pages_example_runs(
    concert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "archives.md").read_text(encoding="utf-8")
    shutil.copy(concert, tmp_path)
    monkeypatch.chdir(tmp_path)
    script = page.partition("```python\n")[2].partition("```")[0]
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert json.loads(Path("concert.jams").read_text())["file_metadata"]["duration"] == 12.0


def test_what_a_folder_leads_to_is_found_and_what_cannot_be_read_is_told(folder: Path, tmp_path: Path) -> None:
    """Links, also those that lead around, and one that leads nowhere; a list with zero bytes."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(folder / "may" / "one.wav", elsewhere / "two.wav")
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "around").symlink_to(elsewhere)
    (folder / "gone.wav").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.wav")
    names = {recording.name for recording in find_recordings([str(folder)])}
    assert names == {"may/one.wav", "may/cut.wav", "linked/two.wav", "gone.wav", "pipe.wav"}
    assert len({stamp(recording) for recording in find_recordings([str(folder)])}) == len(names)
    assert find_recordings([300 * "x" + ".wav"])
    done = label("-", "--out", tmp_path / "labels", data="a.wav\0b.wav")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "this one has zero bytes" in done.stderr
