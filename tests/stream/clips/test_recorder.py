"""Clips of what was heard, exact by sample index, as training reads them."""

import csv
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

from tests.stream.history.make_history import STARTED_NS, make_end, make_event, make_status, make_window
from whoplays.models.errors import DataError
from whoplays.stream.clips.folder import COLUMNS, ClipFolder
from whoplays.stream.clips.recorder import ClipRecorder
from whoplays.stream.common.logging import log
from whoplays.stream.common.thread_watch import ThreadWatch
from whoplays.stream.pipeline.ring import RingBuffer

RATE = 44_100


class Hall:
    """A stream whose samples count, and what a recorder makes of it."""

    def __init__(self, recorder: ClipRecorder) -> None:
        self.recorder, self.ring = recorder, RingBuffer(2, 12 * RATE)

    def play(self, seconds: float) -> None:
        start = self.ring.written
        self.ring.write(counting(start, start + round(seconds * RATE)))

    def tell(self, *messages: Any) -> None:
        for message in messages:
            self.recorder.handle(message, self.ring)


def counting(start: int, end: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Samples that 16 bits hold, each the index's last digits."""
    return np.repeat((np.arange(start, end) % 30_011).astype(np.float32)[None] / 2**15, 2, axis=0)


@contextmanager
def recording(folder: Path, told: list[str] | None = None, **options: Any) -> Iterator[Hall]:
    settings = {"entrances": True, "unsure": False, "before_s": 2.0, "max_length_s": 60.0} | options
    problems = told if told is not None else []
    store = ClipFolder(folder, None, None)
    with ClipRecorder(store, **settings, on_problem=problems.append, watch=ThreadWatch(log())) as recorder:
        yield Hall(recorder)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_clip_goes_from_before_an_entrance_to_its_end_and_says_who_else_plays(tmp_path: Path) -> None:
    with recording(tmp_path) as hall:
        hall.play(4.0)
        violin_enters = msgspec.structs.replace(make_event(1, "start", 3, "violin"), at_ns=STARTED_NS + 3 * 10**9)
        hall.tell(make_status(), make_event(0, "start", 1, "piano"), violin_enters)
        hall.play(7.0)
        hall.tell(make_event(1, "end", 6, "violin"))
        wait_until(lambda: len(list(tmp_path.glob("*violin.flac"))) == 1)
        hall.play(1.0)
        hall.tell(make_event(0, "end", 12, "piano"), make_end(0))
    (violin,) = tmp_path.glob("*_violin.flac")
    (piano,) = tmp_path.glob("*_piano.flac")
    assert violin.name == "hall_20260101T000003.000Z_violin.flac"
    audio, rate = soundfile.read(violin, dtype="float32")
    assert rate == RATE
    np.testing.assert_array_equal(audio.T, counting(1 * RATE, 6 * RATE))
    audio, _ = soundfile.read(piano, dtype="float32")
    np.testing.assert_array_equal(audio.T, counting(0, 12 * RATE))
    found = {
        (row["path"], row["labels"]): (row["start_s"], row["end_s"], row["first_sample"]) for row in rows(tmp_path)
    }
    assert found == {
        (violin.name, "violin"): ("2.0", "5.0", "44100"),
        (violin.name, "piano"): ("0.0", "5.0", "44100"),
        (piano.name, "piano"): ("1.0", "12.0", "0"),
        (piano.name, "violin"): ("3.0", "6.0", "0"),
    }
    assert not list(tmp_path.glob("*.part"))


def test_training_reads_the_folder_as_it_is(tmp_path: Path) -> None:
    labelled_folder = pytest.importorskip("whoplays.training.data.labelled_folder")
    with recording(tmp_path) as hall:
        hall.play(8.0)
        hall.tell(make_event(0, "start", 2, "piano"), make_event(0, "end", 7, "piano"), make_end(0))
    (clip,) = labelled_folder.LabelledFolder(tmp_path).clips()
    assert (clip.labels, clip.source, clip.group) == ({"piano"}, "whoplays", f"{tmp_path.name}/hall-one")
    (segment,) = clip.timeline
    assert (segment.start_s, segment.end_s) == (2.0, 7.0)


def test_a_session_that_breaks_off_and_a_clip_that_is_long_end(tmp_path: Path) -> None:
    with recording(tmp_path, max_length_s=5.0) as hall:
        hall.play(3.0)
        hall.tell(make_event(0, "start", 2, "piano"))
        for _ in range(6):
            hall.play(2.0)
            time.sleep(0.6)
        wait_until(lambda: len(list(tmp_path.glob("*.flac"))) == 1)
        hall.tell(make_event(1, "start", 13, "violin"))
        hall.ring.close()
        hall.tell(make_status(session="two"))
    (piano,), (violin,) = tmp_path.glob("*_piano.flac"), tmp_path.glob("*_violin.flac")
    np.testing.assert_array_equal(soundfile.read(piano, dtype="float32")[0].T, counting(0, 5 * RATE))
    np.testing.assert_array_equal(soundfile.read(violin, dtype="float32")[0].T, counting(11 * RATE, 15 * RATE))


def test_windows_that_the_model_is_unsure_of(tmp_path: Path) -> None:
    with recording(tmp_path, entrances=False, unsure=True) as hall:
        hall.play(6.0)
        hall.tell(make_status(), make_window(0))
        unsure = msgspec.structs.replace(make_window(1), probabilities={"piano": 0.9, "violin": 0.44})
        hall.tell(unsure, unsure, make_event(0, "start", 1, "piano"), make_end(0))
    (row,) = rows(tmp_path)
    assert row["labels"] == "piano"
    audio, _ = soundfile.read(tmp_path / row["path"], dtype="float32")
    np.testing.assert_array_equal(audio.T, counting(3 * RATE, 6 * RATE))


def test_a_folder_that_cannot_be_written_is_told_once_and_costs_clips_alone(tmp_path: Path) -> None:
    folder, told = tmp_path / "clips", list[str]()
    with recording(folder, told) as hall:
        hall.play(6.0)
        folder.rename(tmp_path / "away")
        for number in range(3):
            hall.tell(make_event(number, "start", 2, "piano"), make_event(number, "end", 5, "piano"))
        wait_until(lambda: hall.recorder.lost == 3)
        (tmp_path / "away").rename(folder)
        hall.tell(make_event(3, "start", 2, "piano"), make_event(3, "end", 5, "piano"), make_end(0))
    assert [line.partition(":")[0] for line in told] == [
        f"cannot write to {folder}",
        f"could write to {folder} again; 3 clips were lost",
    ]
    assert len(list(folder.glob("*.flac"))) == 1


def test_the_oldest_are_deleted_with_their_rows(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path, max_age_days=1.0, max_mb=1.06)
    for number in range(5):
        clip = folder.create("hall", STARTED_NS + number * 10**9, "piano")
        clip.write(np.random.default_rng(number).uniform(-1, 1, (2, 3 * RATE)).astype(np.float32))
        folder.add(clip, [], "hall", "one", 0)
        written_s = time.time() - (2 * 86_400 if number == 0 else 50 - number)
        os.utime(clip.path, (written_s, written_s))
    folder.add(folder.create("hall", STARTED_NS, "violin"), [], "hall", "one", 0)
    (tmp_path / "index.csv").write_text(
        ",".join(COLUMNS)
        + "\n"
        + "".join(f"{path.name},piano,0,3,g,w,,hall,one,0\n" for path in sorted(tmp_path.glob("*.flac")))
    )
    folder.prune()
    kept = sorted(path.name for path in tmp_path.glob("*.flac"))
    assert len(kept) == 3
    assert "hall_20260101T000000.000Z_piano.flac" not in kept
    assert [row["path"] for row in rows(tmp_path)] == kept


def test_an_index_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("path,labels,group\n")
    with pytest.raises(DataError, match=r"index.csv is not an index of clips; give another folder"):
        ClipFolder(tmp_path, None, None)
    pipe = tmp_path / "pipe"
    pipe.mkdir()
    os.mkfifo(pipe / "index.csv")
    with pytest.raises(DataError, match="not a regular file"):
        ClipFolder(pipe, None, None)
    with pytest.raises(DataError, match="clips cannot be kept in"):
        ClipFolder(tmp_path / "index.csv" / "clips", None, None)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_an_index_that_somebody_has_saved_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    """One that can still be read goes on, and keeps what stands in it; another one is refused in one line."""
    index = tmp_path / "index.csv"
    index.write_text(",".join(COLUMNS) + "\r\ngone.flac,Flöte,0,1,a,b,,c,d,0\r\n", encoding=encoding)
    if encoding == "utf-16":
        with pytest.raises(DataError, match="is not an index of clips"):
            ClipFolder(tmp_path, None, None)
        return
    folder = ClipFolder(tmp_path, max_age_days=1.0, max_mb=1.0)
    old = tmp_path / "old.flac"
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    folder.prune()
    assert not old.exists()
    assert b"Fl\xf6te" in index.read_bytes()


def test_what_is_no_clip_is_left_and_an_index_that_is_gone_begins_anew(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path, max_age_days=1.0, max_mb=1.0)
    (tmp_path / "folder.flac").mkdir()
    (tmp_path / "link.flac").symlink_to("nowhere")
    old = tmp_path / "old.flac"
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    folder.prune()
    assert not old.exists()
    (tmp_path / "index.csv").unlink()
    clip = folder.create("hall", STARTED_NS, "violin")
    clip.write(np.zeros((2, 100), np.float32))
    folder.add(clip, [], "hall", "one", 0)
    ClipFolder(tmp_path, None, None)
