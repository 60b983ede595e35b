from pathlib import Path

import pytest

from tests.training.data.tiny_corpus import write_index
from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip, Segment
from whoplays.training.data.labelled_folder import LabelledFolder

COLUMNS = ("path", "labels", "group")


def read(folder: Path, *rows: tuple[str, ...], columns: tuple[str, ...] = COLUMNS) -> list[Clip]:
    return LabelledFolder(write_index(folder, list(rows), columns)).clips()


def test_a_row_is_a_clip(tmp_path: Path) -> None:
    columns = (*COLUMNS, "source", "licence", "kind")
    (clip,) = read(tmp_path, ("a/one.wav", "piano", "g1", "the hall", "CC0", "note"), columns=columns)
    assert clip == Clip(
        path=tmp_path / "a" / "one.wav",
        labels=frozenset({"piano"}),
        group=f"{tmp_path.name}/g1",
        source="the hall",
        licence="CC0",
        kind="note",
    )


def test_what_is_not_told_is_assumed(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, ("one.wav", "", "g1"))
    assert (clip.labels, clip.source, clip.licence, clip.kind) == (frozenset(), tmp_path.name, "none stated", "phrase")


def test_a_corpus_stands_for_a_source(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, ("one.wav", "", "g1", "flutes"), columns=(*COLUMNS, "corpus"))
    assert clip.source == "flutes"


def test_several_labels_by_code_or_name(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, ("one.wav", "pia; Violin;", "g1"))
    assert clip.labels == {"piano", "violin"}


def test_a_file_listed_twice_is_one_clip(tmp_path: Path) -> None:
    clips = read(tmp_path, ("one.wav", "piano", "g1"), ("two.wav", "piano", "g1"), ("one.wav", "piano", "g1"))
    assert [clip.path.name for clip in clips] == ["one.wav", "two.wav"]


def test_groups_of_different_folders_are_different(tmp_path: Path) -> None:
    groups = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        groups |= {clip.group for clip in read(tmp_path / name, ("one.wav", "piano", "g1"))}
    assert groups == {"a/g1", "b/g1"}


def test_an_index_that_a_spreadsheet_saved_is_read(tmp_path: Path) -> None:
    """With a byte order mark before its first column."""
    (tmp_path / "index.csv").write_text("path,labels,group\none.wav,violin,g1\n", encoding="utf-8-sig")
    (clip,) = LabelledFolder(tmp_path).clips()
    assert (clip.path, clip.labels) == (tmp_path / "one.wav", frozenset({"violin"}))


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lacks the columns labels, group"):
        read(tmp_path, ("one.wav",), columns=("path",))


def test_a_label_may_be_any_name(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, ("one.wav", "Lute", "g1"))
    assert clip.labels == {"lute"}


def test_a_label_that_is_no_name_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"index\.csv, one\.wav: a label must be an English name"):
        read(tmp_path, ("one.wav", "lute, violin", "g1"))


@pytest.mark.parametrize(("instrument", "labels"), [("Drums", {"drums"}), ("oboe", set()), ("", set())])
def test_where_no_label_is_the_instrument_names_what_plays(tmp_path: Path, instrument: str, labels: set[str]) -> None:
    (clip,) = read(tmp_path, ("one.wav", "", "g1", instrument), columns=(*COLUMNS, "instrument"))
    assert clip.labels == labels


def test_a_label_counts_more_than_the_instrument(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, ("one.wav", "violin", "g1", "drums"), columns=(*COLUMNS, "instrument"))
    assert clip.labels == {"violin"}


def test_a_row_cut_short_has_no_labels(tmp_path: Path) -> None:
    assert [clip.labels for clip in read(tmp_path, ("one.wav",))] == [set()]


@pytest.mark.parametrize("content", [b"", b"path,labels\xff\xfe,group\n"])
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"index\.csv (lacks|cannot be read)"):
        LabelledFolder(tmp_path).clips()


TIMED = (*COLUMNS, "start_s", "end_s")


def test_rows_with_times_make_one_clip(tmp_path: Path) -> None:
    rows = [
        ("duo.wav", "piano", "g1", "0", "9.5"),
        ("duo.wav", "violin", "g1", "3", "6"),
        ("other.wav", "", "g2", "", ""),
    ]
    duo, other = read(tmp_path, *rows, columns=TIMED)
    assert duo.labels == {"piano", "violin"}
    assert duo.timeline == (
        Segment(start_s=0, end_s=9.5, labels=frozenset({"piano"})),
        Segment(start_s=3, end_s=6, labels=frozenset({"violin"})),
    )
    assert other.timeline == ()


@pytest.mark.parametrize("times", [("1", ""), ("", "2"), ("soon", "2"), ("2", "2"), ("-1", "2"), ("0", "inf")])
def test_times_that_are_none_are_refused(tmp_path: Path, times: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=r"index\.csv, one\.wav: start_s and end_s must be seconds"):
        read(tmp_path, ("one.wav", "piano", "g1", *times), columns=TIMED)


def test_labels_in_several_rows_of_a_file_are_joined(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, ("duo.wav", "piano", "g1"), ("./duo.wav", "violin", "g1"))
    assert clip.labels == {"piano", "violin"}


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (("g2", "anna", "note", "", ""), r"one\.wav, lines 2 and 4: one file has one group"),
        (("g1", "ben", "note", "", ""), r"one\.wav, lines 2 and 4: one file has one source"),
        (("g1", "anna", "phrase", "", ""), r"one\.wav, lines 2 and 4: one file has one kind"),
        (("g1", "anna", "note", "0", "1"), r"one\.wav, lines 2 and 4: only one has start_s and end_s"),
    ],
)
def test_rows_of_a_file_that_contradict_one_another_are_refused(
    tmp_path: Path, second: tuple[str, ...], told: str
) -> None:
    rows = [
        ("one.wav", "piano", "g1", "anna", "note", "", ""),
        ("two.wav", "piano", "g1", "anna", "note", "", ""),
        ("one.wav", "violin", *second),
    ]
    with pytest.raises(DataError, match=told):
        read(tmp_path, *rows, columns=(*COLUMNS, "source", "kind", "start_s", "end_s"))


def test_a_file_has_one_licence(tmp_path: Path) -> None:
    """A model's card names it: the stricter one would be lost."""
    rows = [("one.wav", "piano", "g1", "CC0"), ("one.wav", "violin", "g1", "CC BY-NC 4.0")]
    with pytest.raises(DataError, match="one file has one licence"):
        read(tmp_path, *rows, columns=(*COLUMNS, "licence"))


@pytest.mark.parametrize("mark", [";", "\t"])
def test_columns_that_are_not_parted_by_commas_are_told_so(tmp_path: Path, mark: str) -> None:
    (tmp_path / "index.csv").write_text(f"path{mark}labels{mark}group\none.wav{mark}violin{mark}g1\n")
    with pytest.raises(DataError, match=r"lacks the columns path, labels, group; .*: put commas between columns"):
        LabelledFolder(tmp_path).clips()
