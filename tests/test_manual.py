"""The man page and the completions are those of the command as it is."""

import shutil
import subprocess
from pathlib import Path

import pytest

from whoplays.command import VERBS
from whoplays.manual import COMPLETIONS, MAN_PAGE, share_files

SHARE = Path(__file__).parents[1] / "docs" / "share"


@pytest.fixture(scope="module")
def made() -> dict[Path, str]:
    return share_files()


def test_files_are_current(made: dict[Path, str]) -> None:
    stale = [str(path) for path, text in made.items() if (SHARE / path).read_text(encoding="utf-8") != text]
    assert not stale, "run: make docs"
    assert {path.relative_to(SHARE) for path in SHARE.rglob("*") if path.is_file()} == made.keys()


def test_man_page_has_every_verb(made: dict[Path, str]) -> None:
    for verb in VERBS:
        assert f'.SH "WHOPLAYS {verb.upper()}' in made[MAN_PAGE]


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_man_page_is_formatted_without_warnings() -> None:
    command = ["man", "--warnings", "--encoding=UTF-8", "--local-file", str(SHARE / MAN_PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_bash_completes_verbs_and_options() -> None:
    ask = 'COMP_WORDS=({}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _whoplays; echo "${{COMPREPLY[@]}}"'
    for typed, expected in (("whoplays lis", "listen"), ("whoplays listen --spee", "--speed")):
        script = f"source {SHARE / COMPLETIONS['bash']}; {ask.format(typed)}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [expected], done.stderr
