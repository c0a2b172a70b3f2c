"""`python -m shortcut1d` is the command `shortcut1d`."""

import os
import signal
import sys


def main() -> int:
    """Run the command; Ctrl-C is one line, while it imports JAX as well."""
    # No exception: one that falls into a callback of JAX is printed and forgotten. While something
    # runs that has more to say, the driver has a handler of its own.
    signal.signal(signal.SIGINT, _leave)
    from shortcut1d import cli

    return cli.main()


def _leave(*_: object) -> None:
    os.write(2, b"shortcut1d: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
