"""The linear floor: the error of the best linear filter, and that filter as a denoiser."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Samples, comparable
from shortcut1d.analysis.oracles import wiener_gain

Spectrum = Float[np.ndarray, "..."]  # shapes are compared here, so that the message says which
MAX_TAPS = 4096  # over all channels; the size of the normal equations
EDGES = {"circular": "wrap", "reflect": "reflect"}


def floor(
    seen: tuple[Spectrum, Spectrum], tests: Sequence[tuple[Spectrum, Spectrum]]
) -> list[float]:
    """Error of the best linear filter for two stationary components, tested on others.

    The filter is the Wiener filter of `seen`. Its error depends on power spectra alone:
    `sum |1 - h|^2 S_c + |h|^2 S_d`.

    Args:
        seen: power spectra of content and residual, as `oracles.power_spectrum` gives them.
        tests: the same pair of each test.

    Returns:
        mean square error of each test.

    Raises:
        InvalidInput: spectra of two shapes, negative or not finite.
    """
    gain = wiener_gain(*seen)
    for part in (part for test in tests for part in test):
        if np.shape(part) != gain.shape:
            raise errors.refuse("tests", np.shape(part), f"spectra of shape {gain.shape}")
    return [float(np.sum((1 - gain) ** 2 * content + gain**2 * rest)) for content, rest in tests]


def fit(
    clean: Samples,
    degraded: Samples,
    reach: int,
    *,
    ridge: float = 1e-3,
    edges: str = "circular",
) -> Callable[[Any], np.ndarray]:
    """The best linear filter of some samples over a receptive field, by ridge regression.

    `out(x) = b + sum_t W_t y(x + t)`, `|t| <= reach` along each axis, from all channels to each.
    For samples whose families are not known, or not periodic.

    Args:
        clean: samples.
        degraded: degraded samples, in the order of `clean`.
        reach: how far the filter sees to either side, in samples.
        ridge: penalty on the weights, as a share of the inputs' mean square.
        edges: "circular" or "reflect".

    Raises:
        InvalidInput: arrays that do not fit, a field of more than 4096 taps, unknown edges.
    """
    clean, degraded = (
        np.asarray(part, np.float64) for part in comparable(clean=clean, degraded=degraded)
    )
    errors.integer("reach", reach, low=0, high=min(clean.shape[1:-1]) - 1)
    errors.number("ridge", ridge, above=0)
    errors.choice("edges", edges, EDGES)
    taps = (2 * reach + 1) ** (clean.ndim - 2) * clean.shape[-1]
    if taps > MAX_TAPS:
        raise errors.refuse("reach", reach, f"at most {MAX_TAPS} taps, not {taps}")
    size = taps + 1
    square, product = np.zeros((size, size)), np.zeros((size, clean.shape[-1]))
    for target, given in zip(clean, degraded):  # one by one: the matrix of fields is large
        rows = _fields(given[None], reach, edges)
        square += rows.T @ rows
        product += rows.T @ target.reshape(-1, target.shape[-1])
    penalty = ridge * np.trace(square[:-1, :-1]) / taps * np.eye(size)
    penalty[-1, -1] = 0.0  # not on the constant
    weights = np.linalg.solve(square + penalty, product)

    def denoise(inputs: Any) -> np.ndarray:
        given = np.asarray(inputs, np.float64)
        outputs = [_fields(sample[None], reach, edges) @ weights for sample in given]
        return np.stack(outputs).reshape(given.shape).astype(np.float32)

    return denoise


def _fields(samples: np.ndarray, reach: int, edges: str) -> Float[np.ndarray, "values taps"]:
    """The filter's inputs at each position, and a constant 1."""
    space = samples.shape[1:-1]
    widths = [(0, 0), *[(reach, reach)] * len(space), (0, 0)]
    padded = np.pad(samples, widths, mode=EDGES[edges])  # type: ignore[call-overload]
    shifts = itertools.product(range(2 * reach + 1), repeat=len(space))
    parts = [
        padded[(slice(None), *(slice(t, t + n) for t, n in zip(shift, space)))] for shift in shifts
    ]
    fields = np.concatenate(parts, axis=-1).reshape(math.prod((len(samples), *space)), -1)
    return np.concatenate([fields, np.ones((len(fields), 1))], axis=1)
