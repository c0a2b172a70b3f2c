"""Kill check: every script, killed outright again and again, ends with the unbroken table.

python tests/kill.py [NAME ...]

Not a test: it takes two minutes for each script. Each is run unbroken at its smallest preset, and
then, in another folder, killed when 3, 6 and 9 tenths of the time that took have gone by (while it
compiles, trains, draws or writes, as it happens) and begun again each time, to the end. The
benchmark is left out: its table is of times.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
sys.path.insert(0, str(SCRIPTS))
import reproduce  # noqa: E402 (found there)

MOMENTS = (0.3, 0.6, 0.9)  # of the time of an unbroken run


def started(name, out):
    """A script in a process of its own, its cells in chunks as small as two devices allow."""
    options = ("--preset", "smoke", "--chunk", "2", "--out", out)
    return subprocess.Popen(
        [sys.executable, SCRIPTS / f"{name}.py", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wrong_with(name, folder):
    """What differs between the unbroken run of a script and one that was killed, in words."""
    unbroken, killed = folder / "unbroken", folder / "killed"
    began = time.monotonic()
    process = started(name, unbroken)
    _, said = process.communicate()
    took = time.monotonic() - began
    if process.returncode:
        return f"unbroken, it ended with {process.returncode}: {said}"
    for moment in MOMENTS:
        process = started(name, killed)
        try:
            process.communicate(timeout=moment * took)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    process = started(name, killed)
    _, said = process.communicate()
    if process.returncode:
        return f"killed and begun again, it ended with {process.returncode}: {said}"
    # How cells lie in chunks may differ, and a file that was being written is left as a hidden one.
    files = [
        {str(path.relative_to(out)) for path in out.rglob("[!.]*") if path.suffix != ".cells"}
        for out in (unbroken, killed)
    ]
    if files[0] != files[1]:
        return f"of these files there is one of two: {sorted(files[0] ^ files[1])}"
    for suffix in ("csv", "npz", "png"):
        ours, theirs = ((out / f"{name}.{suffix}").read_bytes() for out in (unbroken, killed))
        if ours != theirs:
            return f"{name}.{suffix} differs"
    return ""


def main(names):
    """Try the scripts, one after the other; the exit status."""
    wrong = 0
    for name in names or reproduce.STORY:
        with tempfile.TemporaryDirectory() as folder:
            why = wrong_with(name, Path(folder))
        wrong += bool(why)
        sys.stdout.write(f"{name}: {why or 'as if it had not been killed'}\n")
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
