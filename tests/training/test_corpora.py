from pathlib import Path

import pytest

from models.errors import DataError
from tests.training.tiny_corpus import write_index
from training.corpora import gather, open_material


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten groups from four sources."""
    rows = [(f"{index}.wav", "pia", f"g{index}", f"s{index % 4}", "CC0") for index in range(10)]
    (tmp_path / "corpus").mkdir()
    return write_index(tmp_path / "corpus", list(rows))


def test_a_folder_is_split_60_20_20(folder: Path) -> None:
    assert [len(part) for part in gather([open_material(str(folder))], seed=1)] == [6, 2, 2]


def test_all_of_a_folder_is_trained_on(folder: Path) -> None:
    assert [len(part) for part in gather([open_material(f"{folder}@all")], seed=1)] == [10, 0, 0]


def test_a_fold_holds_out_sources(folder: Path) -> None:
    first, second = (gather([open_material(f"{folder}@{fold}/2")], seed=1) for fold in (1, 2))
    assert first.train == second.test
    assert second.train == first.test
    assert {clip.source for clip in first.test} | {clip.source for clip in second.test} == {"s0", "s1", "s2", "s3"}


def test_materials_are_joined(folder: Path) -> None:
    parts = gather([open_material(str(folder)), open_material(f"{folder}@all")], seed=1)
    assert [len(part) for part in parts] == [16, 2, 2]


@pytest.mark.parametrize("share", ["0/2", "3/2", "1/1", "0/0"])
def test_a_fold_that_is_none_is_refused(folder: Path, share: str) -> None:
    with pytest.raises(DataError, match="folds are numbered 1 to n"):
        open_material(f"{folder}@{share}")


@pytest.mark.parametrize("given", ["missing", "missing@1/2", "missing@all", "corpus@some", "corpus@-1/2"])
def test_a_folder_that_is_no_corpus_is_refused(folder: Path, given: str) -> None:
    with pytest.raises(DataError, match=r"is no corpus: it holds no index\.csv"):
        open_material(str(folder.parent / given))
