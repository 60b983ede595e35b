import pytest

from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, IRMAS, KNOWN, NAMES, known_label, to_name
from whoplays.training.networks.efficientat import CLASS_INDICES


def test_names_are_there_once() -> None:
    assert len(set(NAMES)) == len(NAMES) == 20
    assert set(CORE) <= set(NAMES)
    assert " ".join(IRMAS) == "cel cla flu gac gel org pia sax tru vio voi"


@pytest.mark.parametrize("code", IRMAS)
def test_a_label_of_irmas_is_known_by_code_and_by_name(code: str) -> None:
    assert to_name(code) == to_name(f" {IRMAS[code].title()} ") == IRMAS[code]


def test_any_english_name_is_a_label() -> None:
    assert to_name(" Hurdy  Gurdy ") == "hurdy gurdy"
    assert known_label("hurdy gurdy") is None


@pytest.mark.parametrize("label", ["", " ", "a;b", "a,b", 'a"b', "a\x1bb"])
def test_what_would_not_stay_in_its_place_is_refused(label: str) -> None:
    with pytest.raises(DataError, match="a label must be"):
        to_name(label)


def test_counterparts_are_those_of_one_label_alone() -> None:
    programs = [program for known in KNOWN for program in known.programs]
    assert len(set(programs)) == len(programs)
    assert {name for known in KNOWN for name in known.audioset} <= set(CLASS_INDICES)
