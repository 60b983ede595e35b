"""A lamp that is on while an instrument plays, and knows when it cannot know.

python examples/lamp.py tcp://127.0.0.1:9460 main violin
"""

import sys

import whoplays


class Lamp:
    """Whether an instrument plays: `on`, `off`, or `unknown`."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.state = "unknown"
        self.session = ""

    def update(self, item: whoplays.Message | whoplays.Notice) -> None:
        """Take in what came from the publisher, or from the subscriber itself."""
        if not isinstance(item, whoplays.Notice) and item.session != self.session:
            self.session, self.state = item.session, "unknown"
        match item:
            case whoplays.Event(label=self.label, phase=phase):
                self.state = "on" if phase == "start" else "off"
            case whoplays.Window() if self.state == "unknown" and not item.quality.lost_samples:
                # The first whole window after a gap or a restart says it again.
                self.state = "on" if item.active.get(self.label) else "off"
            case whoplays.Notice() | whoplays.Gap() | whoplays.End():
                # Nothing came for 3 s, messages were lost, audio was lost, or the stream is over.
                self.state = "unknown"
            case whoplays.Status(state="stalled" | "lost"):
                self.state = "unknown"


def main(endpoint: str = "tcp://127.0.0.1:9460", stream: str = "main", label: str = "violin") -> None:
    """Print a line each time the lamp changes, until interrupted."""
    lamp, shown = Lamp(label), ""
    with whoplays.Subscriber(endpoint, stream) as subscriber:
        for item in subscriber:
            lamp.update(item)
            if lamp.state != shown:
                shown = lamp.state
                print(f"{label}: {shown}", flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except whoplays.WhoplaysError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
