"""`python -m shortcut1d` is the command `shortcut1d`."""

import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command; Ctrl-C is one line, while it imports JAX as well."""
    try:
        from shortcut1d import cli
        from shortcut1d.harness.progress import leave_at_once

        status = cli.main()
        if status == INTERRUPTED:
            leave_at_once(status)
        return status
    except KeyboardInterrupt:
        print("shortcut1d: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
