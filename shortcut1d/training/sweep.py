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
from shortcut1d.training import evaluation, grid, processes
from shortcut1d.training.evaluation import EvalConfig, Run
from shortcut1d.training.grid import Cell, Progress, ProgressReport
from shortcut1d.training.loop import Schedule, Trained

Record = dict[str, np.ndarray]  # what is kept of one cell, by name
Tested = tuple[Trained, dict[str, np.ndarray]]  # a chunk at one stop: cells, and their measures


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
    """An archive that lasts as long as the process; the driver has one on disk."""


@dataclass(frozen=True)
class Session:
    """What the outside world lends a run; the default is nothing.

    archive: cells that are finished. progress: called as cells are trained. chunk: cells trained
    at once (None: `grid.chunk_size`). stamp: names code and device, so that cells of others are
    not taken for this run's.
    """

    store: CellStore = field(default_factory=Memory)
    progress: Progress = grid.silent
    chunk: int | None = None
    stamp: str = ""


class Swept(NamedTuple):
    """table: `panel.tabulate`'s. weights: of the subjects that were to be kept, by position."""

    table: pd.DataFrame
    weights: dict[int, Params]


def sweep(
    runs: Sequence[Run],
    schedule: Schedule,
    eval_config: EvalConfig,
    session: Session,
    keep: Callable[[Run], bool] = lambda run: False,
) -> Swept:
    """Train and test every subject, of whatever networks, that the archive does not hold.

    A cell's result depends on what the cell is, on the code and on the kind of device; not on the
    chunk it was in, on its neighbours, or on what was finished before. Where the job has several
    processes, each takes its share of the cells and all of them get the whole table.

    Args:
        runs: any number; memory on the device does not grow with it.
        schedule: of those that bring none of their own.
        eval_config: shared by all.
        session: archive, progress, chunk.
        keep: whose weights are wanted afterwards.
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
    session.progress(ProgressReport(done, total, 0, earlier=done))
    for group, share in zip(groups, shares, strict=True):
        size = min(session.chunk or group.chunk_size(len(share), eval_config), len(share))
        for first in range(0, len(share), max(size, 1)):
            chosen = share[first : first + size]

            def report(
                now: ProgressReport, real: int = len(chosen), d: int = done, s: int = steps
            ) -> None:
                cells = real * now.cells / now.of
                session.progress(
                    ProgressReport(d + cells, total, s + round(now.steps * real / now.of))
                )

            finished = group.finish(chosen, size, eval_config, report)
            places = [group.positions[n] for n in chosen]
            session.store.update(
                {names[p]: _record(finished, row, p in kept) for row, p in enumerate(places)}
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
    return Swept(evaluation.tabulate(runs, measures, checkpoints), weights)


class _Group(NamedTuple):
    """All subjects of one network and schedule. Stacked as a whole, whichever of them are still to
    be trained: which kinds of family there are decides what the compiled program is, and so its
    last bits.
    """

    positions: list[int]
    runs: list[Run]
    schedule: Schedule
    inputs: grid.Inputs
    given: evaluation.EvalSpec
    program: str  # identity of what else a result depends on

    def chunk_size(self, count: int, eval_config: EvalConfig) -> int:
        """How many of `count` cells to train and test at once."""
        cell, tests = self.runs[0].cell, evaluation.bytes_of_tests(self.runs[0], eval_config)
        return grid.chunk_size(max(count, 1), cell.network, self.schedule, cell.shape, tests)

    def finish(
        self, chosen: list[int], size: int, eval_config: EvalConfig, progress: Progress
    ) -> list[Tested]:
        """Train and test one chunk, filled up with its last cell so that one program fits all."""
        rows = [chosen[min(row, len(chosen) - 1)] for row in range(size)]
        runs = [self.runs[n] for n in rows]
        cells = [run.cell for run in runs]
        given = evaluation.draw(runs, eval_config, self.given.rows(rows))
        return [
            (trained, evaluation.evaluate(runs, trained, eval_config, given))
            for trained in grid.trajectory(
                cells, self.schedule, progress, grid.rows(self.inputs, rows)
            )
        ]


def _groups(
    runs: Sequence[Run], schedules: Sequence[Schedule], eval_config: EvalConfig, stamp: str
) -> list[_Group]:
    places: dict[tuple[networks.Network, Schedule], list[int]] = {}
    for position, (run, schedule) in enumerate(zip(runs, schedules, strict=True)):
        places.setdefault((run.cell.network, schedule), []).append(position)
    made = []
    for (_, schedule), positions in places.items():
        members = [runs[p] for p in positions]
        inputs, given = grid.stack_cells([s.cell for s in members]), evaluation.paper(members)
        kinds = [str(jax.tree.structure(part)) for part in (*inputs[1:], *given[2:])]
        program = identity(stamp, schedule, eval_config, kinds)
        made.append(_Group(positions, members, schedule, inputs, given, program))
    return made


WEIGHT = "weight "  # what the names of kept weights begin with


def _record(finished: list[Tested], row: int, keep: bool) -> Record:
    """What is kept of one cell: a leading axis over stops, and the weights at the last."""
    record = {"diverged": np.array([trained.diverged[row] for trained, _ in finished])}
    record |= {name: np.stack([m[name][row] for _, m in finished]) for name in finished[0][1]}
    if keep:
        leaves = jax.tree.leaves(finished[-1][0].params)
        record |= {f"{WEIGHT}{n}": leaf[row] for n, leaf in enumerate(leaves)}
    return {name: np.asarray(value) for name, value in record.items()}


def _weights(record: Record, cell: Cell) -> Params:
    *space, channels = cell.shape
    abstract = jax.eval_shape(
        lambda k: networks.init(cell.network, k, tuple(space), channels), jax.random.key(0)
    )
    structure = jax.tree.structure(abstract)
    leaves = [record[f"{WEIGHT}{n}"] for n in range(len(jax.tree.leaves(abstract)))]
    return jax.tree.unflatten(structure, leaves)
