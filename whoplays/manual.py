"""The man page and the shells' completions, made from the command itself: `make docs`.

python -m whoplays.manual FOLDER
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from cyclopts import App

import whoplays
from whoplays.command import VERBS, command_line

MAN_PAGE: Final = Path("man/man1/whoplays.1")
COMPLETIONS: Final[dict[Literal["bash", "fish", "zsh"], Path]] = {
    "bash": Path("bash-completion/completions/whoplays"),
    "fish": Path("fish/vendor_completions.d/whoplays.fish"),
    "zsh": Path("zsh/site-functions/_whoplays"),
}
"""Where each shell looks for them, below a share/ folder."""

_INTRODUCTION: Final = """.TH WHOPLAYS 1 "" "whoplays {version}" "User Commands"
.SH NAME
whoplays \\- recognise musical instruments live
.SH SYNOPSIS
.B whoplays
.I COMMAND
[\\fIOPTIONS\\fR]
.SH DESCRIPTION
{description}
"""
_EXIT_STATUS: Final = """.SH EXIT STATUS
.TP
.B 0
Done; Ctrl-C while listening is a proper end too.
.TP
.B 1
Something could not be done; one line on standard error says what.
.TP
.B 2
The command line itself was wrong.
.TP
.B 130
Ctrl-C before there was anything to end.
"""
_NO_FLAG: Final = re.compile(r" \[Default: ``False``\]|\*\*")


def share_files() -> dict[Path, str]:
    """By path below a share/ folder, the text of each file."""
    app = command_line(*VERBS)
    files = {path: app.generate_completion(shell=shell) for shell, path in COMPLETIONS.items()}
    return files | {MAN_PAGE: man_page(app)}


def man_page(app: App) -> str:
    """The man page, in troff."""
    head, *sections = re.split(r"^\.\. _cyclopts-.*\n\n", app.generate_docs("rst"), flags=re.MULTILINE)[1:]
    description = re.search(r"^::\n\n.*\n\n(.*)", head, re.MULTILINE)
    text = _INTRODUCTION.format(
        version=whoplays.__version__, description=_escaped(description[1] if description else "")
    )
    return text + "".join(f"{line}\n" for section in sections for line in _section(section)) + _EXIT_STATUS


def _section(text: str) -> Iterator[str]:
    """A verb's section: its title, how it is used, what it does, and its options; none of what only groups verbs."""
    _, _, body = text.partition("\n::\n\n")
    if not body:
        return
    usage, _, rest = body.strip().partition("\n\n")
    usage = re.sub(r" -m \S+", "", usage.strip(), count=1)  # of a program that was started with python -m
    name = re.sub(r" (\[|[A-Z]|--\w+ [A-Z]).*", "", usage)
    yield f'.SH "{_escaped(name.upper())}"'
    yield f".B {_escaped(usage)}"
    for paragraph in re.split(r"\n\n+", rest.strip()):
        yield from _paragraph(paragraph)


def _paragraph(text: str) -> Iterator[str]:
    term, _, definition = text.partition("\n")
    if re.fullmatch(r"\*\*\w+:\*\*", term):
        return
    if option := re.fullmatch(r"``(.+)``", term):
        yield from (".TP", f".B {_escaped(option[1])}", _escaped(_NO_FLAG.sub("", " ".join(definition.split()))))
    else:
        yield from (".PP", _escaped(" ".join(text.split())))


def _escaped(text: str) -> str:
    plain = text.replace("``", "").replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    for below, content in share_files().items():
        path = Path(sys.argv[1], below)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
