"""All studies, one after the other, and the page of what they found (README.md in --out).

Each runs in a process of its own. A study that is finished, by the same code with the same
settings, is not run again; one that was interrupted goes on from its finished cells. --check runs
and draws nothing: it says whether the tables in --out support the claims as they are printed, and
were made by the code as it stands. Preset "kept" stands for the settings of the tables that are in
--out already, which is how those of this repository are made again.
"""

import sys

from shortcut1d.reproduce import main

if __name__ == "__main__":
    sys.exit(main(__doc__))
