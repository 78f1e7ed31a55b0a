"""What ``python -m`` runs: a parser and a function, with the exit codes of the command line."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from mllmu_med_dataset.errors import UserError, using_paths

from ..run.termination import INTERRUPTED


def run_command(
    parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None], argv: Sequence[str] | None
) -> None:
    """Run a function on what the parser reads; bad input ends with one paragraph and 2, SIGINT and SIGTERM with 130."""
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with using_paths():
            run(options)
    except UserError as error:
        parser.exit(2, f"{error}\n")
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where this one stopped.", file=sys.stderr)
        sys.exit(INTERRUPTED)
