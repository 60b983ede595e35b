"""The page in docs is made by a command, not by hand."""

import re
from pathlib import Path

import pytest

from whoplays.command import command_line
from whoplays.models.errors import DataError
from whoplays.training.report import accuracy as page

PAGE = Path(__file__).parents[3] / "docs" / "accuracy.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="it is not made yet")
def test_the_page_is_as_it_was_made() -> None:
    text = PAGE.read_text(encoding="utf-8")
    page.check(text)
    assert all((PAGE.parent / path).is_file() for path in re.findall(r"!\[.*?\]\((.*?)\)", text))


@pytest.mark.skipif(not PAGE.is_file(), reason="it is not made yet")
def test_the_command_that_makes_it_is_one() -> None:
    commands = re.findall(r"^whoplays (evaluate .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert commands
    for command in commands:
        command_line("evaluate").parse_args(command, exit_on_error=False, print_error=False)


def test_a_page_that_was_edited_is_known() -> None:
    text = page.signed(f"{page.MARK}\n# How well it hears\n")
    page.check(text)
    with pytest.raises(DataError, match="make it again"):
        page.check(text.replace("well", "badly"))
