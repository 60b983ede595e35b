"""A page of a concert, from a history and from labels."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import whoplays
from tests.stream.history.make_history import make_concert, record
from whoplays.stream.archive.report import ReportPart, ReportSpan, make_report


class Page(HTMLParser):
    """The texts of a page; fails on what is not closed, and on what loads something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "link", "img", "iframe"}
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag != "meta" and not (self.get_starttag_text() or "").endswith("/>"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_page_has_totals_gaps_and_nothing_of_others_code() -> None:
    spans = [
        ReportSpan(0.0, 60.0, "<b>piano</b>"),
        ReportSpan(30.0, 90.0, "violin"),
        ReportSpan(100.0, 110.0, "network", True),
    ]
    page = Page(make_report("A & B", [ReportPart("hall", "2026-01-01 20:15:00", 200.0, spans)]))
    text = " ".join(page.texts)
    assert "A & B" in text
    assert "<b>piano</b>" in text
    assert re.search(r"violin 1:00 30%", text)
    assert re.search(r"not heard from to network 1:40 1:50", text)
    assert "Nothing was heard." in Page(make_report("empty", [])).texts


def test_a_history_and_labels_become_pages(
    tmp_path: Path, concert: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "history.db", make_concert())
    whoplays.main(["report", f"{tmp_path}/history.db", "--out", f"{tmp_path}/history.html", "--title", "Evening"])
    text = " ".join(Page((tmp_path / "history.html").read_text()).texts)
    assert "Evening" in text
    assert "hall" in text
    assert "piano" in text
    whoplays.main(["label", str(concert), "--out", f"{tmp_path}/labels", "--model", str(model), "--workers", "1"])
    whoplays.main(["report", f"{tmp_path}/labels", "--out", f"{tmp_path}/labels.html"])
    assert "violin" in " ".join(Page((tmp_path / "labels.html").read_text()).texts)
    for form, begins in (("raven", "Selection\t"), ("markers", "#,Name"), ("jams", "{")):
        capsys.readouterr()
        whoplays.main(["history", f"{tmp_path}/history.db", "--format", form])
        assert capsys.readouterr().out.startswith(begins)
    with pytest.raises(SystemExit) as ended:
        whoplays.main(["report", str(tmp_path), "--out", f"{tmp_path}/x.html"])
    assert ended.value.code == 1
    assert "events.csv cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("events", "row"),
    [
        ("file;start_s;end_s;label\na.wav;0;1;piano\n", 1),
        ("file,start_s,end_s,label\na.wav,0,1,piano\na.wav\n", 2),
        ('file,start_s,end_s,label\na.wav,"0,5",1,piano\n', 1),
        ("file,start_s,end_s,label\na.wav,nan,1,piano\n", 1),
        ("file,start_s,end_s,label\na.wav,0,1," + 140_000 * "x" + "\n", 1),
    ],
)
def test_a_table_that_somebody_has_changed_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], events: str, row: int
) -> None:
    (tmp_path / "events.csv").write_text(events)
    (tmp_path / "files.csv").write_text("file,error,duration_s\na.wav,,3\n")
    with pytest.raises(SystemExit):
        whoplays.main(["report", str(tmp_path), "--out", str(tmp_path / "r.html")])
    (told,) = capsys.readouterr().err.splitlines()
    assert f"events.csv, row {row} is not as whoplays label writes it" in told


def test_what_cannot_be_read_or_written_is_one_line_and_never_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A short row, a name that is too long, a pipe that nobody reads; a byte order mark is no mistake."""
    page, pipe, long = tmp_path / "r.html", tmp_path / "pipe", tmp_path / (300 * "x")
    (tmp_path / "events.csv").write_text("\ufefffile,start_s,end_s,label\na.wav,0,1,piano\n")
    (tmp_path / "files.csv").write_text("\ufefffile,error,duration_s\na.wav,,3\n")
    whoplays.main(["report", str(tmp_path), "--out", str(page)])
    os.mkfifo(pipe)
    for source, out in ((tmp_path, pipe), (tmp_path, long), (long, page)):
        with pytest.raises(SystemExit):
            whoplays.main(["report", str(source), "--out", str(out)])
        (told,) = capsys.readouterr().err.splitlines()
        assert "cannot be" in told
    (tmp_path / "files.csv").write_text("file,error,duration_s\na.wav,,3\nb.wav\n")
    with pytest.raises(SystemExit):
        whoplays.main(["report", str(tmp_path), "--out", str(page)])
    assert "files.csv, row 2 is not as whoplays label writes it: it has no error" in capsys.readouterr().err
