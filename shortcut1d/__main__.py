"""`python -m shortcut1d` is the command `shortcut1d`."""

import sys


def main() -> int:
    """Run the command; Ctrl-C is one line, while it imports JAX as well."""
    try:
        from shortcut1d import cli

        return cli.main()
    except KeyboardInterrupt:
        print("shortcut1d: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
