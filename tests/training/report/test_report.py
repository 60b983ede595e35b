"""Reports as tables, plots, and a page that cannot be edited."""

import re
from pathlib import Path

import msgspec
import pytest

from tests.training.evaluate.made_models import constant
from whoplays.command import command_line
from whoplays.models.errors import DataError
from whoplays.models.event_scores import EventScores, EventsRow
from whoplays.models.labels import NAMES
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.results import Report
from whoplays.training.evaluate.store import read_events
from whoplays.training.report import accuracy, plots, tables
from whoplays.training.report.page import ACCURACY, check_signature, signed
from whoplays.training.run import RunFolder

PAGE = Path(__file__).parents[3] / "docs" / "accuracy.md"


def test_the_page_in_docs_is_as_it_was_made() -> None:
    text = PAGE.read_text(encoding="utf-8")
    check_signature(text)
    assert text.startswith(accuracy.HEAD)
    assert all((PAGE.parent / path).is_file() for path in re.findall(r"!\[.*?\]\((.*?)\)", text))


def test_the_command_that_makes_it_is_one() -> None:
    commands = re.findall(r"^whoplays (evaluate .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert commands
    for command in commands:
        command_line("evaluate").parse_args(command, exit_on_error=False, print_error=False)


def test_a_page_that_was_edited_is_refused() -> None:
    text = signed(f"{ACCURACY}\n# Accuracy\n")
    check_signature(text)
    for edited in (text.replace("Acc", "In"), text + "\nmore\n", "# By hand\n"):
        with pytest.raises(DataError, match="make it again"):
            check_signature(edited)


def test_the_page_holds_all_models(two_models: Report, tmp_path: Path) -> None:
    path = tmp_path / "docs" / "accuracy.md"
    accuracy.write([two_models], path)
    text = path.read_text(encoding="utf-8")
    check_signature(text)
    shown = (two_models.command, "**first**", "second", "| pairs |", "level -12 dB", "player 3", "### Differences")
    assert all(each in text for each in shown)
    drawn = sorted(one.name for one in (tmp_path / "docs" / "accuracy").iterdir())
    assert {"reliability-tiny.png", "robustness-tiny.png"} <= set(drawn)
    assert all(f"(accuracy/{name})" in text for name in drawn)


@pytest.mark.parametrize("head", [{"models": ["a"]}, {"bench": "events", "command": "", "conditions": {}}])
def test_the_page_holds_events_where_they_were_measured(head: dict[str, object], tmp_path: Path) -> None:
    """Whether or not the file says what measured it."""
    scores = EventScores(
        references=4,
        detections=5,
        onset_f1=(0.5, 0.667, 0.7),
        offset_f1=(0.25, 0.5, 0.6),
        onset_delays_s=(1.0, 2.5, 4.0),
        offset_delays_s=(),
    )
    own = msgspec.to_builtins(EventsRow(fitted_to_others=True, hop_s=3, scores=scores))
    rows = [own | {"fitted_to_others": False, "hop_s": 1}, own]
    kept = tmp_path / "events.json"
    kept.write_bytes(msgspec.json.encode(head | {"concerts": 7, "settings": {"hysteresis": {}}, "rows": rows}))
    accuracy.write([], tmp_path / "accuracy.md", read_events(kept))
    text = (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert "| 3 s | 4 | 5 | 0.500 | 0.667 | 0.700 | 0.250 | 0.500 | 0.600 | 2.5 s |" in text
    assert "| 1 s |" not in text


def test_of_other_sounds_alone_nothing_is_shown_of_solos(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    noise = next(clip for clip in clips if not clip.labels)
    found = evaluate([constant("a")], [noise], library, "tiny")
    assert [table.title for table in tables.tables(found)] == ["a on tiny: 1 recording, 1 source", "label accuracy"]
    accuracy.write([found], tmp_path / "page.md")
    written = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "1 recording in 1 group from 1 source, " in written
    assert "Source by source" not in written


def test_remarks_stand_on_the_page_as_sentences(two_models: Report) -> None:
    remarked = msgspec.structs.replace(two_models, remarks=("no trios: there is one source",))
    assert "\n\nNo trios: there is one source." in accuracy._about(remarked)


def test_tables_have_a_row_for_each_model_and_rows_of_one_set_together(two_models: Report) -> None:
    assert [one.name for one, _ in tables.by_model(two_models)][:4] == ["first", "second"] * 2
    rows = sum(len(one.results) for one in two_models.models)
    assert len(tables.by_set(two_models).rows) == len(tables.by_label(two_models).rows) == rows
    assert len(tables.by_label(two_models).figures) == len(NAMES)
    assert len(tables.under_conditions(two_models).rows) == 3 * 2
    assert len(tables.compared(two_models).rows) == 6
    alarms = tables.compared(two_models).rows[-1]
    assert alarms[:4] == ("other sounds: false alarm", "core", "second", "-1.000 [-1.00, -1.00]")


def test_confusions_are_drawn(two_models: Report, tmp_path: Path) -> None:
    paths = plots.draw_confusions(msgspec.structs.replace(two_models, data="a/b c"), tmp_path)
    assert [path.name for path in paths] == ["confusion-solos-a-b-c.png", "confusion-pairs-a-b-c.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_what_was_not_measured_is_not_drawn(two_models: Report, tmp_path: Path) -> None:
    assert plots.draw_robustness(msgspec.structs.replace(two_models, under_conditions=()), tmp_path) is None
    assert plots.draw_curves(RunFolder(tmp_path)) is None
