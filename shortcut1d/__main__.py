"""`python -m shortcut1d` is the command `shortcut1d`."""

import os
import signal
import sys


def main() -> int:
    """Run the command. Ctrl-C prints one line, also while JAX is imported."""
    # `_leave` raises no exception: in a callback of JAX it would be printed and forgotten. During a
    # run, which has more to say, `CtrlC` takes its place.
    signal.signal(signal.SIGINT, _leave)
    from shortcut1d import cli

    return cli.main()


def _leave(*_: object) -> None:
    os.write(2, b"shortcut1d: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
