"""Clips to reason about, without audio."""

from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st

from whoplays.models.labels import CORE
from whoplays.training.data.clip import Clip


def clip(name: str, labels: Iterable[str] = (), *, group: str = "", source: str = "made", kind: str = "phrase") -> Clip:
    """A clip; a group of its own unless given."""
    return Clip(path=Path(f"{name}.wav"), labels=frozenset(labels), group=group or name, source=source, kind=kind)


@st.composite
def many_clips(draw: st.DrawFn) -> list[Clip]:
    """Any clips: a few groups and sources, none to two labels each; a group may hold clips of several labels."""
    drawn = st.tuples(st.frozensets(st.sampled_from(CORE), max_size=2), st.integers(0, 9), st.integers(0, 4))
    rows = draw(st.lists(drawn, min_size=1, max_size=40))
    return [
        clip(f"clip{number}", labels, group=f"group {group}", source=f"source {source}")
        for number, (labels, group, source) in enumerate(rows)
    ]
