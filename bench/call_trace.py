"""Records calls between the modules of a source tree: `python call_trace.py TREE FILE ARGUMENTS...`.

It runs `whoplays ARGUMENTS...` from any tree of whoplays, so it imports nothing of this one.
"""

import atexit
import json
import sys
import threading
import time
from inspect import CO_GENERATOR
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

SEND: Final = "zmq"
"""Stands for the library's module when a message is sent."""
_SEND_FUNCTIONS: Final = {"send", "send_multipart"}


class CallTrace:
    """Calls from one module to another, in every thread that starts after `start`.

    Args:
        tree: the folder whose modules count.
    """

    def __init__(self, tree: Path) -> None:
        self.calls: Final[list[tuple[int, int, str, str, bool]]] = []
        """Monotonic time in ns, thread, caller and callee as paths in the tree, and whether it resumes a generator.

        There is no caller where a thread starts.
        """
        self._tree: Final = tree.resolve()
        self._names: Final[dict[CodeType, str]] = {}

    def start(self) -> None:
        """Record from now on."""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or not (callee := self._name(frame.f_code)):
            return
        caller, back = "", frame.f_back
        while back and not (caller := self._name(back.f_code)):
            back = back.f_back
        if caller != callee:
            is_generator = bool(frame.f_code.co_flags & CO_GENERATOR)
            self.calls.append((time.monotonic_ns(), threading.get_ident(), caller, callee, is_generator))

    def _name(self, code: CodeType) -> str:
        """The path of its file in the tree; empty if it is not in the tree."""
        if code not in self._names:
            path = Path(code.co_filename).resolve()
            if path.parts[-3:] == ("zmq", "sugar", "socket.py"):
                self._names[code] = SEND if code.co_name in _SEND_FUNCTIONS else ""
            else:
                inside = path.is_relative_to(self._tree) and ".venv" not in path.parts and path.is_file()
                self._names[code] = str(path.relative_to(self._tree)) if inside else ""
        return self._names[code]


def main() -> None:
    """Run the command, and write its calls to the file when it exits."""
    tree, output, *arguments = sys.argv[1:]
    sys.path[0] = tree
    trace = CallTrace(Path(tree))
    atexit.register(lambda: Path(output).write_text(json.dumps(trace.calls)))
    trace.start()
    import whoplays  # noqa: PLC0415  of that tree

    whoplays.main(arguments)


if __name__ == "__main__":
    main()
