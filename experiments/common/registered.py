"""What was registered of a study before it was run: `experiments/registered/STUDY_N.toml`."""

from pathlib import Path

from shortcut1d.harness import registration
from shortcut1d.harness.registration import Registration

FOLDER = Path(__file__).resolve().parent.parent / "registered"


def versions(study: str) -> list[Registration]:
    """The registrations of a study, oldest first; the last one is in force."""
    numbered = {int(path.stem.rpartition("_")[2]): path for path in FOLDER.glob(f"{study}_*.toml")}
    return [registration.read(path) for _, path in sorted(numbered.items())]


def of(study: str) -> Registration:
    """The registration of a study that is in force."""
    return versions(study)[-1]
