import pytest

from whoplays.bench.numbers import parse_numbers
from whoplays.models.errors import OptionError


@pytest.mark.parametrize(("text", "numbers"), [("1", (1,)), ("8, 1,2,2", (1, 2, 8)), ("1024", (1024,))])
def test_numbers_are_sorted_and_each_is_there_once(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_numbers(text, "--batches", 1024) == numbers


@pytest.mark.parametrize("text", ["", ",", "1,", "0", "-1", "1.5", "many", "1025"])
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"--batches .* give numbers from 1 to 1024"):
        parse_numbers(text, "--batches", 1024)
