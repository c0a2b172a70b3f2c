"""`python -m shortcut1d` is the command `shortcut1d`."""

import sys

from shortcut1d.cli import main

if __name__ == "__main__":
    sys.exit(main())
