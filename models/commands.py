"""`whoplays models`: what can be listened with."""

from rich.console import Console
from rich.table import Table

from models import catalogue
from models.card import ModelCard


def models() -> None:
    """List the models that ship: what they hear, how large they are, how good, and where that was measured."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "version", "task", "labels", "parameters", "MMAC", "measured"):
        table.add_column(heading, overflow="fold")
    for name in catalogue.names():
        _, card = catalogue.find(name)
        table.add_row(*_row(card))
    Console().print(table)


def _row(card: ModelCard) -> tuple[str, ...]:
    default = " (default)" if card.name == catalogue.DEFAULT else ""
    size = f"{card.parameters / 1e6:.2f} M"
    headline = card.measurements[0] if card.measurements else None
    measured = f"{headline.metric} {headline.value:.1%} on {headline.data}" if headline else "not measured"
    return (
        card.name + default,
        card.version,
        card.task,
        " ".join(card.labels),
        size,
        f"{card.macs / 1e6:.0f}",
        measured,
    )
