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
        self.lossy = False

    def update(self, item: whoplays.Message | whoplays.Notice) -> None:
        """Take in what came from the publisher, or from the subscriber itself."""
        if not isinstance(item, whoplays.Notice) and item.session != self.session:
            self.session, self.state, self.lossy = item.session, "unknown", False
        match item:
            case whoplays.Event(label=self.label, phase=phase) if not self.lossy:
                self.state = "on" if phase == "start" else "off"
            case whoplays.Status(state="listening" | "silent", playing=[*playing]) if not self.lossy:
                # Once a second, for whoever joins late or has lost an event.
                self.state = "on" if self.label in [each.label for each in playing] else "off"
            case whoplays.Window(quality=quality) if not quality.lost_samples:
                self.lossy = False
            case whoplays.Window() | whoplays.Gap():
                # Audio was lost; from the next window without a loss on, events and status count again.
                self.state, self.lossy = "unknown", True
            case (
                whoplays.Notice() | whoplays.End() | whoplays.Status(state="connecting" | "stalled" | "lost" | "ended")
            ):
                # Nothing came for 3 s, messages were lost, no audio comes, or the stream is over.
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
