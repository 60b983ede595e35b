"""What the documents tell a reader to type is what the command line takes."""

import re
import shlex
from pathlib import Path

import pytest

from whoplays import command_line

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def documented() -> list[tuple[str, str]]:
    """Every `whoplays` command in README and docs, with the page it stands on."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [(page.name, block) for page in pages for block in BLOCK.findall(page.read_text(encoding="utf-8"))]
    lines = [(page, part.strip()) for page, block in blocks for line in block.splitlines() for part in line.split("|")]
    return [(page, line) for page, line in lines if line.startswith("whoplays ")]


def test_there_is_something_to_check() -> None:
    assert len(documented()) > 10


@pytest.mark.parametrize(("page", "line"), documented())
def test_every_documented_command_is_one(page: str, line: str) -> None:
    words = shlex.split(line.partition(" &")[0], comments=True)[1:]
    command_line().parse_args(words, exit_on_error=False, print_error=False)
