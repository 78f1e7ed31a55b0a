"""Become a command that ends with the process that started it, however that one ends (Linux).

    python -m baselines.study.engines.tied PARENT COMMAND ...

A killed worker leaves nothing that goes on writing into a folder that another worker is to go on in.
"""

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1


def main() -> None:
    """Tie this process to its parent and turn it into the command."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != int(parent):  # gone before it could be tied to
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
