"""Calibration of what is not a measure of one network: intervals, and the structure test."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from shortcut1d import plotting
from shortcut1d.analysis import interval_each, oracles
from shortcut1d.analysis.structure import structure
from shortcut1d.training.tables import array_of

COVER, STRUCTURE = "cover", "structure"  # in the column `part`
PROMISED = 0.93  # of 95% intervals, the least that hold the mean
COUNTS = (3, 4, 5, 6, 8, 12, 20, 40)  # seeds that an interval rests on
DRAWN: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "uniform": lambda rng, shape: rng.uniform(-1, 1, shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
}  # of mean 0
RANK = 12  # dimensions of content and of residual
PSI, D_D, D_C = "psi", "d_D", "d_C"


def cover_rows(seed: int, trials: int) -> Iterator[dict[str, Any]]:
    """How often an interval holds the mean, by number of seeds and distribution."""
    rng = np.random.default_rng(seed)
    for kind, drawn in DRAWN.items():
        for count in COUNTS:
            found = interval_each(drawn(rng, (count, trials)))
            held = np.mean((found.low <= 0) & (found.high >= 0))
            yield row(COVER, seed, count, kind, float(held), 0.95)


def structure_rows(seed: int, size: int, samples: int, mixtures: int) -> Iterator[dict[str, Any]]:
    """The structure test on linear denoisers, and what it should say in closed form.

    Content and residual live in two random subspaces, which no spectrum shows. The projector knows
    the one, the subtractor the other; the Wiener filter of the spectra knows none.
    """
    rng = np.random.default_rng(seed)
    bases = [np.linalg.qr(rng.normal(size=(size, RANK)))[0] for _ in range(2)]
    scale = np.sqrt(size / RANK)
    clean, residual = (
        (scale * rng.normal(size=(samples, RANK)) @ basis.T)[..., None].astype(np.float32)
        for basis in bases
    )
    covariances = [scale**2 * basis @ basis.T for basis in bases]
    wiener = oracles.wiener(*[_circulant_spectrum(each)[:, None] for each in covariances])
    known = oracles.projector(bases[0]), oracles.subtractor(bases[1])
    denoisers = {alpha: oracles.mixture(alpha, *known) for alpha in np.linspace(0, 1, mixtures)}
    for alpha, denoiser in {**denoisers, np.nan: wiener}.items():
        found = structure(denoiser, clean, clean + residual, jax.random.key(seed))
        truth = _in_closed_form(
            np.asarray(denoiser(np.eye(size)[..., None]))[..., 0].T, covariances
        )
        for measure, value in {
            PSI: found.psi, D_D: found.of_degradation, D_C: found.of_content,
        }.items():  # fmt: skip
            yield row(STRUCTURE, seed, alpha, measure, float(value), truth[measure])


def _circulant_spectrum(covariance: np.ndarray) -> Float[np.ndarray, " size"]:
    """Mean power at each frequency of what has this covariance."""
    turned = np.fft.fft(np.fft.ifft(covariance, axis=1), axis=0)
    return np.real(np.diag(turned)) / len(covariance)


def _in_closed_form(matrix: np.ndarray, covariances: list[np.ndarray]) -> dict[str, float]:
    """The structure test of `x -> matrix x`: its error is a trace of covariances."""
    size = len(matrix)
    twins = []
    for covariance in covariances:
        along = np.real(np.fft.fft(_circulant_spectrum(covariance)))
        twins.append(along[(np.arange(size)[:, None] - np.arange(size)) % size])

    def removed(content: np.ndarray, residual: np.ndarray) -> float:
        away = matrix - np.eye(size)
        left = np.trace(away @ content @ away.T) + np.trace(matrix @ residual @ matrix.T)
        return float(1 - left / np.trace(residual))

    content, residual = covariances
    seen = removed(content, residual)
    of_residual, of_content = removed(content, twins[1]), removed(twins[0], residual)
    return {PSI: of_residual - of_content, D_D: seen - of_residual, D_C: seen - of_content}


def row(
    part: str, seed: int, setting: float, measure: str, value: float, truth: float
) -> dict[str, Any]:
    """A row of the table of calibration."""
    return {
        "part": part, "seed": seed, "setting": setting, "measure": measure, "value": value,
        "truth": truth,
    }  # fmt: skip


def read(table: pd.DataFrame, part: str, column: str = "value") -> xr.DataArray:
    """A column of a part of the table, `(seed, setting, measure)`."""
    return array_of(table[table["part"] == part], column, "seed", "setting", "measure")


def covers(table: pd.DataFrame) -> Float[np.ndarray, "seeds cases"]:
    """How often intervals hold the mean, in each repetition and case."""
    return read(table, COVER).stack(case=("setting", "measure")).values


def lowest(cases: Float[np.ndarray, "seeds cases"]) -> float:
    """Where they do so least, over all repetitions."""
    return float(np.min(np.mean(cases, axis=0)))


def structure_errors(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Largest error of psi on mixtures of oracles, and on the Wiener filter; of each repetition."""
    rows = table[(table["part"] == STRUCTURE) & (table["measure"] == PSI)]
    off = rows.assign(off=(rows["value"] - rows["truth"]).abs())
    of_filter = off["setting"].isna()
    return tuple(  # type: ignore[return-value]
        part.groupby("seed")["off"].max().to_numpy() for part in (off[~of_filter], off[of_filter])
    )


def draw_cover(axes: Any, table: pd.DataFrame) -> None:
    """How often intervals hold the mean, against the number of seeds."""
    cover = read(table, COVER)
    counts = cover["setting"].values
    for kind, color in zip(DRAWN, (plotting.BLUE, plotting.GREEN, plotting.RED), strict=True):
        mean = interval_each(cover.sel(measure=kind))
        plotting.curve(axes, counts, mean, color, "o-", markersize=3, label=kind)
    axes.axhline(PROMISED, color=plotting.INK, linewidth=0.6, linestyle=":")
    axes.axhline(0.95, color=plotting.INK, linewidth=0.6)
    axes.set_xscale("log")
    axes.set_xticks([3, 5, 8, 20, 40], ["3", "5", "8", "20", "40"])
    axes.minorticks_off()
    axes.set_ylim(0.88, 1.0)
    axes.set_xlabel("seeds")
    axes.set_ylabel("95% intervals\nthat hold the mean")
    axes.legend(fontsize=6, title="values", title_fontsize=6)


def draw_structure(axes: Any, table: pd.DataFrame) -> None:
    """The structure test on mixtures of oracles, against the closed form."""
    rows = table[table["part"] == STRUCTURE]
    of_oracles = rows.dropna(subset=["setting"])
    for measure, color, marker in (
        (D_D, plotting.RED, "s"), (D_C, plotting.GREEN, "^"), (PSI, plotting.INK, "o"),
    ):  # fmt: skip
        own = of_oracles[of_oracles["measure"] == measure]
        values, truth = (array_of(own, c, "seed", "setting") for c in ("value", "truth"))
        shares = values["setting"].values
        axes.plot(shares, truth.mean("seed"), color=color, linewidth=0.8)
        label = {D_D: "$d_D$", D_C: "$d_C$", PSI: "$\\psi$"}[measure]
        axes.plot(shares, values.mean("seed"), marker, color=color, markersize=3.5, label=label)
    of_filter = rows[rows["setting"].isna() & (rows["measure"] == PSI)]["value"].mean()
    axes.axhline(of_filter, color=plotting.GREY, linestyle="--", label="$\\psi$, Wiener filter")
    axes.set_xlabel("share of the projector in the mixture")
    axes.set_ylabel("structure test\n(lines: closed form)")
    axes.legend(fontsize=6)
