"""A `whoplays` command that ends when its parent does, whatever happens to that: `python -m` this, then its words."""

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    # Nothing is ever written there; its end is the parent's.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, name="whoplays-parent", daemon=True).start()
    sys.argv[0] = "whoplays"
    runpy.run_module("whoplays", run_name="__main__")
