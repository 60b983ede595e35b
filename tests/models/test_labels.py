import pytest

from whoplays.models.errors import DataError
from whoplays.models.labels import CODES, CORE, NAMES, to_code


def test_the_vocabulary_is_that_of_irmas() -> None:
    assert " ".join(NAMES) == "cel cla flu gac gel org pia sax tru vio voi"
    assert set(CORE) == {"gac", "pia", "tru", "vio"}
    assert len(CODES) == len(NAMES) == 11


@pytest.mark.parametrize("code", NAMES)
def test_a_label_is_known_by_code_and_by_name(code: str) -> None:
    assert to_code(code) == to_code(NAMES[code]) == to_code(f" {NAMES[code].title()} ") == code


@pytest.mark.parametrize("label", ["", "lute", "violins"])
def test_another_label_is_refused(label: str) -> None:
    with pytest.raises(DataError, match="unknown label"):
        to_code(label)
