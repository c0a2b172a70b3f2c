"""What did this denoiser learn: the content it should keep, or the degradation it should remove?

The names below are imported when they are first used, so that `import shortcut1d` takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shortcut1d.analysis.balance import balance as balance
    from shortcut1d.analysis.complexity import predict as predict
    from shortcut1d.diagnosis.adapters import adapt as adapt
    from shortcut1d.diagnosis.adapters import from_deepinv as from_deepinv
    from shortcut1d.diagnosis.adapters import from_function as from_function
    from shortcut1d.diagnosis.adapters import from_torch as from_torch
    from shortcut1d.diagnosis.diagnose import diagnose as diagnose
    from shortcut1d.restorer import Restorer as Restorer

    __version__: str

_HOMES = {
    "Restorer": "shortcut1d.restorer",
    "adapt": "shortcut1d.diagnosis.adapters",
    "balance": "shortcut1d.analysis",
    "diagnose": "shortcut1d.diagnosis",
    "from_deepinv": "shortcut1d.diagnosis.adapters",
    "from_function": "shortcut1d.diagnosis.adapters",
    "from_torch": "shortcut1d.diagnosis.adapters",
    "predict": "shortcut1d.analysis",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("shortcut1d")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
