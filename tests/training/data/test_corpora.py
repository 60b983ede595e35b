from pathlib import Path

import pytest

from tests.training.data.tiny_corpus import write_index
from whoplays.models.errors import DataError, OptionError
from whoplays.training.data.corpora import gather, open_corpora, open_share, open_shares


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten groups from four sources."""
    rows = [(f"{index}.wav", "piano", f"g{index}", f"s{index % 4}", "CC0") for index in range(10)]
    (tmp_path / "corpus").mkdir()
    return write_index(tmp_path / "corpus", list(rows))


def test_a_folder_is_split_60_20_20(folder: Path) -> None:
    assert [len(part) for part in gather([open_share(str(folder))], seed=1)] == [6, 2, 2]


def test_all_of_a_folder_is_trained_on(folder: Path) -> None:
    assert [len(part) for part in gather([open_share(f"{folder}@all")], seed=1)] == [10, 0, 0]


def test_a_fold_holds_out_sources(folder: Path) -> None:
    first, second = (gather([open_share(f"{folder}@{fold}/2")], seed=1) for fold in (1, 2))
    assert first.train == second.test
    assert second.train == first.test
    assert {clip.source for clip in first.test} | {clip.source for clip in second.test} == {"s0", "s1", "s2", "s3"}


def test_materials_are_joined(folder: Path) -> None:
    more = write_index(
        folder.parent / "more", [(f"{index}.wav", "piano", f"g{index}", "s", "CC0") for index in range(10)]
    )
    parts = gather([open_share(str(folder)), open_share(f"{more}@all")], seed=1)
    assert [len(part) for part in parts] == [16, 2, 2]


@pytest.mark.parametrize("share", ["0/2", "3/2", "1/1", "0/0"])
def test_a_fold_that_is_none_is_refused(folder: Path, share: str) -> None:
    with pytest.raises(DataError, match="folds are numbered 1 to n"):
        open_share(f"{folder}@{share}")


@pytest.mark.parametrize("given", ["missing", "missing@1/2", "missing@all", "corpus@some", "corpus@-1/2"])
def test_a_folder_that_is_no_corpus_is_refused(folder: Path, given: str) -> None:
    with pytest.raises(DataError, match=r"corpus not found in .*: it has no index\.csv"):
        open_share(str(folder.parent / given))


@pytest.mark.parametrize(
    ("share", "sources", "told"),
    [
        ("7/50", 4, "leaves nothing to test on: .* there are 4 sources"),
        ("2/2", 1, "leaves nothing to test on: .* there is one source"),
        ("1/2", 1, "leaves nothing to train on: .* there is one source"),
    ],
)
def test_a_fold_of_no_sources_or_of_all_is_refused(tmp_path: Path, share: str, sources: int, told: str) -> None:
    rows = [(f"{index}.wav", "piano", f"g{index}", f"s{index % sources}", "CC0") for index in range(8)]
    folder = write_index(tmp_path / "corpus", list(rows))
    with pytest.raises(DataError, match=f"corpus@{share} {told}"):
        gather([open_share(f"{folder}@{share}")], seed=1)


def test_irmas_has_two_names_for_one_folder(tmp_path: Path) -> None:
    (tmp_path / "IRMAS" / "IRMAS-TrainingData").mkdir(parents=True)
    with pytest.raises(OptionError, match="are of one folder"):
        open_shares([f"{tmp_path}/IRMAS@1/5", f"{tmp_path}/IRMAS/IRMAS-TrainingData@all"])


@pytest.mark.parametrize("shares", [("", ""), ("@all", "@1/2"), ("/", "")])
def test_a_folder_given_twice_is_refused(folder: Path, shares: tuple[str, str]) -> None:
    with pytest.raises(OptionError, match=r"corpus.* and --data .*corpus.* are of one folder"):
        open_shares([f"{folder}{share}" for share in shares])
    with pytest.raises(OptionError, match="are of one folder"):
        open_corpora([folder, folder.parent / "elsewhere" / ".." / folder.name])
