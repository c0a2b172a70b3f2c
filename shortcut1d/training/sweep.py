"""A grid of any size: trained and tested in chunks, each kept as soon as it is finished."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import jax
import numpy as np
import pandas as pd

from shortcut1d import networks
from shortcut1d.data.family import identity
from shortcut1d.networks import Params
from shortcut1d.store import Records
from shortcut1d.training import evaluation, grid, processes, tables
from shortcut1d.training.evaluation import BY_UNIT, EvalConfig, Run
from shortcut1d.training.grid import Cell, Progress, ProgressReport
from shortcut1d.training.loop import Schedule

Record = dict[str, np.ndarray]  # what is kept of one cell, by name


class CellStore(Protocol):
    """Where finished cells are kept, by identity."""

    def __contains__(self, name: object, /) -> bool:
        """Whether the cell is finished."""
        ...

    def __getitem__(self, name: str, /) -> Record:
        """What is kept of it."""
        ...

    def update(self, finished: Records, /) -> None:
        """Keep these cells: all of them, or none where it fails."""
        ...


class Memory(dict[str, Record]):
    """A store that lasts as long as the process; `cell_store.CellFolder` is one on disk."""


@dataclass(frozen=True)
class Session:
    """What a study needs from outside; by default, cells stay in memory and no progress is shown.

    store: of finished cells.
    progress: called as cells are trained.
    chunk: cells trained at once; None for `grid.chunk_size`.
    stamp: identifies code and device, so that cells of other code or devices are not reused.
    """

    store: CellStore = field(default_factory=Memory)
    progress: Progress = grid.silent
    chunk: int | None = None
    stamp: str = ""


class Swept(NamedTuple):
    """What a sweep leaves.

    table: see `tables.tabulate`.
    weights: of the runs whose weights were kept, by position.
    units: mean errors of the units of each test, `(runs, checkpoints, tests, units)`, by name.
    """

    table: pd.DataFrame
    weights: dict[int, Params]
    units: dict[str, np.ndarray]


def sweep(
    runs: Sequence[Run],
    schedule: Schedule,
    eval_config: EvalConfig,
    session: Session,
    keep: Callable[[Run], bool] = lambda run: False,
) -> Swept:
    """Train and test every run that the store does not hold, whatever its network.

    A cell's result depends on what the cell is, on the code and on the kind of device; in its last
    bits, also on the kinds of family in the sweep. It does not depend on its chunk, or on what was
    finished before. Of several processes, each trains its share and gets the whole table.

    Args:
        runs: any number; memory on the device does not grow with it.
        schedule: of runs that have none of their own.
        eval_config: shared by all.
        session: store, progress, chunk.
        keep: runs whose weights are kept.
    """
    kept = {position for position, run in enumerate(runs) if keep(run)}
    schedules = [run.schedule or schedule for run in runs]
    groups = _groups(runs, schedules, eval_config, session.stamp)
    names = {
        p: identity(group.program, runs[p].cell, runs[p].tests, p in kept)
        for group in groups
        for p in group.positions
    }
    ready = processes.agreed([names[p] in session.store for p in range(len(runs))])
    shares = [
        processes.share_of([n for n, p in enumerate(group.positions) if not ready[p]])
        for group in groups
    ]
    done, steps = sum(ready), 0
    total = done + sum(map(len, shares))
    session.progress(ProgressReport(done, total, 0, earlier=done, doing=grid.TRAINING))
    for group, share in zip(groups, shares, strict=True):
        if not share:
            continue
        size = min(session.chunk or group.chunk_size(len(share), eval_config), len(share))
        for first in range(0, len(share), size):
            chosen = share[first : first + size]

            def report(
                now: ProgressReport, real: int = len(chosen), d: int = done, s: int = steps
            ) -> None:
                part = real / now.total  # the rest only fills the chunk
                finished, trained = d + part * now.finished, s + round(part * now.steps)
                session.progress(now._replace(finished=finished, total=total, steps=trained))

            places = [group.positions[n] for n in chosen]
            found = group.finish(
                chosen, size, eval_config, report, keep=not kept.isdisjoint(places)
            )
            session.store.update(
                {names[p]: _record(*found, row, p in kept) for row, p in enumerate(places)}
            )
            done += len(chosen)
            steps += len(chosen) * group.schedule.checkpoint_steps()[-1]
    records = processes.gathered(
        {name: session.store[name] for name in names.values() if name in session.store}
    )
    in_order = [records[names[p]] for p in range(len(runs))]
    measures = [
        {n: v for n, v in record.items() if not n.startswith(WEIGHT)} for record in in_order
    ]
    weights = {p: _weights(in_order[p], runs[p].cell) for p in sorted(kept)}
    checkpoints = [schedule.checkpoint_steps() for schedule in schedules]
    by_unit = [name for name in (in_order[0] if in_order else {}) if name.endswith(BY_UNIT)]
    units = {name: np.stack([record[name] for record in in_order]) for name in by_unit}
    return Swept(tables.tabulate(runs, measures, checkpoints), weights, units)


class _Group(NamedTuple):
    """All runs of one network and schedule.

    All of them are stacked, also those that are finished: the kinds of family in the stack decide
    the compiled program, and so the last bits of results.
    """

    positions: list[int]
    runs: list[Run]
    schedule: Schedule
    inputs: grid.Inputs
    spec: evaluation.EvalSpec
    program: str  # identity of all else that a result depends on

    def chunk_size(self, count: int, eval_config: EvalConfig) -> int:
        """How many of `count` cells to train and test at once."""
        cell, tests = self.runs[0].cell, evaluation.bytes_of_tests(self.runs[0], eval_config)
        return grid.chunk_size(count, cell.network, self.schedule, cell.shape, tests)

    def finish(
        self,
        chosen: list[int],
        size: int,
        eval_config: EvalConfig,
        progress: Progress,
        *,
        keep: bool,
    ) -> tuple[Record, list[np.ndarray]]:
        """Train and test one chunk, filled up with its last cell so that one program fits all.

        Returns:
            `diverged` and the measures, with leading axes over checkpoints and cells; and the
            leaves of the last weights, if they are to be kept.
        """
        rows = [chosen[min(row, len(chosen) - 1)] for row in range(size)]
        runs = [self.runs[n] for n in rows]
        batch = evaluation.draw(runs, eval_config, self.spec.rows(rows))
        inputs, records, leaves = grid.rows(self.inputs, rows), [], []
        cells = [run.cell for run in runs]
        for trained in grid.trajectory(cells, self.schedule, progress, inputs):
            measured = evaluation.evaluate(runs, trained, eval_config, batch)
            records.append({"diverged": np.asarray(trained.diverged)[:size]} | measured)
            leaves = jax.tree.leaves(trained.params)
        record = {name: np.stack([each[name] for each in records]) for name in records[0]}
        return record, [np.asarray(leaf) for leaf in leaves] if keep else []


def _groups(
    runs: Sequence[Run], schedules: Sequence[Schedule], eval_config: EvalConfig, stamp: str
) -> list[_Group]:
    places: dict[tuple[networks.Network, Schedule], list[int]] = {}
    for position, (run, schedule) in enumerate(zip(runs, schedules, strict=True)):
        places.setdefault((run.cell.network, schedule), []).append(position)
    made = []
    for (_, schedule), positions in places.items():
        members = [runs[p] for p in positions]
        inputs = grid.stack_cells([run.cell for run in members])
        spec = evaluation.spec_of(members)
        kinds = [str(jax.tree.structure(part)) for part in (*inputs[1:], *spec[2:])]
        program = identity(stamp, schedule, eval_config, kinds)
        made.append(_Group(positions, members, schedule, inputs, spec, program))
    return made


WEIGHT = "weight "  # what the names of kept weights begin with


def _record(found: Record, leaves: list[np.ndarray], row: int, keep: bool) -> Record:
    """What is kept of one cell: measures at each checkpoint, and the last weights."""
    record = {name: values[:, row] for name, values in found.items()}
    if keep:
        record |= {f"{WEIGHT}{n}": leaf[row] for n, leaf in enumerate(leaves)}
    return {name: np.asarray(value) for name, value in record.items()}


def _weights(record: Record, cell: Cell) -> Params:
    *space, channels = cell.shape
    leaves, structure = jax.tree.flatten(networks.abstract(cell.network, tuple(space), channels))
    return jax.tree.unflatten(structure, [record[f"{WEIGHT}{n}"] for n in range(len(leaves))])
