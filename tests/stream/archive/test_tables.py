"""Tables of more recordings than fit into memory."""

import csv
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from whoplays.stream.archive import tables
from whoplays.stream.archive.annotation import AnnotatedEvent, Annotation
from whoplays.stream.archive.results import FileResult

EVENTS = 50


def many_results(count: int) -> Iterator[FileResult]:
    for number in range(count):
        events = tuple(
            AnnotatedEvent(start_s=float(each), end_s=each + 0.5, label="piano", probability=0.5)
            for each in range(EVENTS)
        )
        annotation = Annotation(path=f"{number}.wav", duration_s=100.0, model="m 1", hop_s=1.0, events=events)
        yield FileResult(path=f"{number}.wav", annotation=annotation, error="" if number % 10 else "damaged")


def test_tables_are_written_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    monkeypatch.setattr(tables, "GROUP_ROWS", 1000)
    # What is imported on the way counts for nothing.
    tables.write_tables(tmp_path, many_results(100), parquet=True)
    tracemalloc.start()
    try:
        failed = tables.write_tables(tmp_path, many_results(2000), parquet=True)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failed == 200
    # The rows of the events would be 10 MB and more.
    assert peak_bytes < 3_000_000
    with (tmp_path / "events.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2000 * EVENTS
    assert rows[-1] == {"file": "1999.wav", "start_s": "49.0", "end_s": "49.5", "label": "piano", "probability": "0.5"}
    found = parquet.ParquetFile(tmp_path / "events.parquet")
    assert (found.metadata.num_rows, found.metadata.num_row_groups) == (2000 * EVENTS, 100)
    assert len((tmp_path / "files.csv").read_text().splitlines()) == 2001


def test_tables_are_whole_or_stay_as_they_were(tmp_path: Path) -> None:
    def stopped() -> Iterator[FileResult]:
        yield from many_results(3)
        raise KeyboardInterrupt

    tables.write_tables(tmp_path, many_results(1), parquet=False)
    before = (tmp_path / "events.csv").read_text()
    with pytest.raises(KeyboardInterrupt):
        tables.write_tables(tmp_path, stopped(), parquet=False)
    assert (tmp_path / "events.csv").read_text() == before
