"""Networks that are trained on a fixed number of melodies under clicks."""

import functools

import jax
import pandas as pd
import xarray as xr

from common.signal_tasks import BANKS, clicks_twin, make_test_sets
from shortcut1d.data import degradations, gaussian, signals
from shortcut1d.networks import Network
from shortcut1d.training.evaluation import UNSEEN_BOTH, UNSEEN_CONTENT, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.tables import array_of, indices, structures


def pool_run(network: Network, pool: int, shapes: int, seed: int) -> Run:
    """A network trained on a pool of melodies, tested on melodies that are not in it.

    All such runs of a seed share weights, batches and tests where they can; a smaller pool holds
    the first melodies of a larger one. Unseen clicks come from 16 banks.

    Args:
        network: what is trained.
        pool: melodies.
        shapes: of clicks in the bank.
        seed: of the weights, the data and the clicks.
    """
    known = signals.pool(signals.melody(), pool, seed)
    clicks = degradations.clicks(shapes, bank=seed)
    tests = make_test_sets(
        ("pool", known), ("clicks", clicks), {"melodies": signals.melody()},
        {"other clicks": degradations.unseen_banks(clicks, BANKS)}, both=True,
        twins=(_melodies_twin(pool, seed), clicks_twin(shapes, seed)),
    )  # fmt: skip
    cell = Cell(known, clicks, network, seed)
    labels = {"pool": pool, "shapes": shapes}
    return Run(cell, "conv", f"pool({pool})", f"clicks({shapes})", tests, labels)


@functools.lru_cache(maxsize=256)
def _melodies_twin(pool: int, seed: int) -> gaussian.Gaussian:
    return gaussian.twin_of_content(
        signals.pool(signals.melody(), pool, seed), jax.random.key(seed)
    )


def pool_curves(table: pd.DataFrame, column: str) -> xr.DataArray:
    """A measure of the networks trained on pools as `(seed, shapes, pool)`; endless comes last.

    column: "nmse" on new melodies under unseen clicks, "known_nmse" on new melodies under the
    clicks it knows, or one of `structures` or `indices`.
    """
    roles = {"nmse": UNSEEN_BOTH, "known_nmse": UNSEEN_CONTENT}
    if column in roles:
        found, column = table[table["test"] == roles[column]], "nmse"
    else:
        found = structures(table)
        found = found if column in found else indices(table)
    return array_of(found, column, "seed", "shapes", "pool")
