"""Local attribution maps: which details of the input an output's window was made from."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.ndimage import gaussian_filter

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, floats, output_of
from shortcut1d.analysis.sensitivity.gradients import gradient_of
from shortcut1d.analysis.sensitivity.samples import Window, checked_window, like

Detector = Callable[[Array], Float[Array, " batch"]]
BOUNDARIES = ("constant", "mirror", "nearest", "reflect", "wrap")  # as scipy.ndimage names them


class Attribution(NamedTuple):
    """A local attribution map of each sample.

    map: signed share of each position in `change`, summed over channels.
    diffusion_index: of the map; see `diffusion_index`.
    change: what the detector finds in the window of the output, less what it finds there when the
        input is blurred. The map sums to `change`, the more exactly the more steps.
    """

    map: Float[Array, "batch *space"]
    diffusion_index: Float[Array, " batch"]
    change: Float[Array, " batch"]


def gradient_magnitude(window: Float[Array, "batch *space channels"]) -> Float[Array, " batch"]:
    """The detector of edges and textures: sum of the lengths of the gradients in the window.

    Gradients are differences of neighbours along every spatial axis, of each channel.
    """
    axes = range(1, window.ndim - 1)
    # The last sample along each axis has no next one and is left out; the appended 0 only keeps
    # the shape until then.
    inner = (slice(None), *[slice(-1)] * len(axes))
    squares = sum(jnp.diff(window, axis=axis, append=0)[inner] ** 2 for axis in axes)
    # The root has no derivative at 0; the gradient of flat parts is set to 0.
    lengths = jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)
    return jnp.sum(lengths.reshape(len(window), -1), axis=1)


def mean_value(window: Float[Array, "batch *space channels"]) -> Float[Array, " batch"]:
    """The detector of brightness: mean of the window."""
    return jnp.mean(window.reshape(len(window), -1), axis=1)


def local_attribution(
    denoiser: Denoiser,
    inputs: Samples,
    window: Window,
    *,
    detector: Detector = gradient_magnitude,
    width: float = 1.2,
    steps: int = 50,
    boundary: str = "reflect",
    method: str = "auto",
    step: float = 1e-3,
) -> Attribution:
    """Which values of the input a window of the output was made from.

    J. Gu and C. Dong, "Interpreting super-resolution networks with local attribution maps" (CVPR
    2021): gradients of a detector of the output's window, integrated while a blur of the input goes
    from its full width to none. Only details that the blur removes take part: the wider the
    blur, the coarser they may be.

    The authors enlarge a small picture; here input and output have one size, so that the default
    width, which is theirs, covers less of what a window shows. Gradients are taken in
    the middle of each step, not at its end, so that the map sums to `change` for any linear
    denoiser with a linear detector. The detector sees nothing outside of the window.

    Args:
        denoiser: a JAX function or one with its own products (`adapters.from_torch`). A plain
            callable where a sample has at most 1024 values; it is called twice for each value and
            step.
        inputs: degraded samples.
        window: of the output, one slice for each spatial axis.
        detector: JAX function of the window, `(batch, *window, channels)` to one number a sample:
            `gradient_magnitude`, `mean_value` or your own.
        width: standard deviation of the widest blur, samples; at most the longest axis.
        steps: number of steps from the widest blur to none, equal in width.
        boundary: what the blur finds beyond a sample's ends, as `scipy.ndimage` names it: "reflect"
            for pictures, "wrap" for periodic samples.
        method: how gradients are computed; see `products_of`.
        step: of a finite difference; see `products_of`.

    Raises:
        InvalidInput: a window outside of the samples, or too short for gradients; a detector that
            is no JAX function or gives another shape; a plain callable on large samples; inputs or
            outputs that are not finite; a bad option.
    """
    inputs = floats("inputs", inputs)
    inside = (slice(None), *checked_window(window, inputs))
    width = errors.number("width", width, above=0, high=max(inputs.shape[1:-1]))
    steps = errors.integer("steps", steps)
    errors.choice("boundary", boundary, BOUNDARIES)
    _check_detector(detector, inputs[inside].shape)

    def score(output: Array) -> Array:
        return detector(output[inside])

    exact = np.asarray(inputs, np.float64)
    given_as = jnp.promote_types(inputs.dtype, jnp.float32)

    def blurred(share: float) -> np.ndarray:
        return gaussian_filter(exact, share * width, mode=boundary, axes=range(1, exact.ndim - 1))

    def given(samples: np.ndarray) -> Samples:
        return like(inputs, samples.astype(given_as))

    gradient = gradient_of(denoiser, score, inputs, method, step)
    behind = blurred(1.0)
    before, after = (score(jnp.asarray(output_of(denoiser, given(end)))) for end in (behind, exact))
    total = np.zeros_like(exact)
    for number in range(1, steps + 1):
        ahead = blurred(1 - number / steps)
        slope = gradient(given((behind + ahead) / 2))
        total += np.asarray(slope, np.float64) * (ahead - behind)
        behind = ahead
    found = jnp.asarray(total.sum(axis=-1), jnp.float32)
    return Attribution(found, diffusion_index(found), after - before)


def diffusion_index(
    attribution: Float[Array | np.ndarray, "batch *space"],
) -> Float[Array, " batch"]:
    """How widely a map is spread, `100 (1 - G)`, `G` the Gini coefficient of its absolute values.

    100 for a map that is even, `100 / size` for a single position, NaN for a map of zeros (Gu and
    Dong 2021).

    Raises:
        InvalidInput: no array of numbers with a batch axis and a spatial one.
    """
    maps = errors.numbers("attribution", attribution, axes=2)
    ranked = np.sort(np.abs(maps.reshape(len(maps), -1)), axis=1)
    size = ranked.shape[1]
    total = ranked.sum(axis=1)
    weighted = ranked @ (2.0 * np.arange(1, size + 1) - size - 1)
    gini = weighted / (size * np.where(total > 0, total, np.nan))
    return jnp.asarray(100 * (1 - gini), jnp.float32)


def _check_detector(detector: Detector, shape: tuple[int, ...]) -> None:
    if detector is gradient_magnitude and min(shape[1:-1]) < 2:
        raise errors.refuse("window", shape[1:-1], "at least 2 samples along every axis")
    wanted = f"a JAX function of shape {shape} to ({shape[0]},)"
    try:
        found = jax.eval_shape(detector, jax.ShapeDtypeStruct(shape, jnp.float32))
    except Exception as error:  # whatever a foreign function raises when it is given a tracer
        raise errors.refuse("detector", detector, wanted) from error
    if getattr(found, "shape", None) != shape[:1]:
        raise errors.refuse("detector", getattr(found, "shape", found), wanted)
