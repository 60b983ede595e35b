"""Commands as they are printed, to be typed again by anyone."""

from pathlib import Path

from whoplays.training.cli.command_line import shown, shown_share, typed


def test_a_command_has_each_option_that_was_given() -> None:
    command = typed(
        "evaluate",
        ["runs/a", "b"],
        data=[Path("../real")],
        against=[],
        peer=["yamnet=yamnet.tflite"],
        fit_thresholds=True,
        robustness=False,
        out=Path("runs/a"),
        report=None,
    )
    assert command == "whoplays evaluate runs/a b --data real --peer yamnet=yamnet.tflite --fit-thresholds --out runs/a"


def test_folders_of_this_machine_are_left_out() -> None:
    assert shown("runs/a") == "runs/a"
    assert [shown(path) for path in ("/somewhere/runs/b", Path("../real"))] == ["b", "real"]


def test_a_folder_whose_name_holds_an_at_sign_is_shown_whole() -> None:
    assert [shown_share(text) for text in ("/x@y/a@b", "c@d@all")] == ["a@b", "c@d@all"]
