"""The Jacobian portrait: which directions a denoiser keeps at an input, and which it blocks.

The whole Jacobian of small samples; of large ones a randomised singular value decomposition, from
exact products alone.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, checked_key, floats, output_of
from shortcut1d.analysis.products import Products, products_of

WHOLE = 1024  # values of a sample up to which its whole Jacobian is computed
OVERSAMPLING, POWER_STEPS = 8, 2  # of the randomised decomposition

Basis = Float[Array | np.ndarray, "size _"]


class Portrait(NamedTuple):
    """A denoiser's Jacobian `J` at each input.

    values: leading singular values, largest first.
    right_vectors: patterns of the input that `J` passes on.
    left_vectors: the output pattern of each right vector.
    trace: `tr J`, the degrees of freedom.
    dimensions: sum of squared singular values, the effective dimension of what is passed on
        (Mohan et al. 2020, section 5).
    symmetry: `tr(J J) / |J|^2`, 1 for a symmetric Jacobian, -1 for an antisymmetric one.
    passed: by subspace, `tr(B^T J B) / r`, the share of the subspace that is passed on.
    aligned: by subspace, alignment of `J` with the projector on it; see `alignment`.
    blocked: by subspace, alignment of `I - J`, what the denoiser removes, with the projector on it.
    """

    values: Float[Array, "batch rank"]
    right_vectors: Float[Array, "batch rank *space channels"]
    left_vectors: Float[Array, "batch rank *space channels"]
    trace: Float[Array, " batch"]
    dimensions: Float[Array, " batch"]
    symmetry: Float[Array, " batch"]
    passed: dict[str, Float[Array, " batch"]]
    aligned: dict[str, Float[Array, " batch"]]
    blocked: dict[str, Float[Array, " batch"]]


def jacobian(
    denoiser: Denoiser, inputs: Samples, method: str = "auto", step: float = 1e-3
) -> Float[Array, "batch size size"]:
    """The whole Jacobian at each input, over flattened samples: `J[i, j] = d out_i / d in_j`.

    Raises:
        InvalidInput: samples of more than 1024 values; what `products_of` refuses.
    """
    inputs = floats("inputs", inputs)
    products = products_of(denoiser, inputs, method, step)
    return _whole(products, inputs)


def portrait(
    denoiser: Denoiser,
    inputs: Samples,
    key: PRNGKeyArray,
    subspaces: Mapping[str, Basis] | None = None,
    *,
    rank: int = 8,
    probes: int = 32,
    whole: bool | None = None,
    method: str = "auto",
    step: float = 1e-3,
) -> Portrait:
    """What the denoiser's Jacobian keeps and blocks at each input.

    Args:
        denoiser: any callable on arrays. Samples of more than 1024 values need one that JAX can
            trace or that brings its own products (`adapters.from_torch`).
        inputs: degraded samples like those it was trained on; a few are enough.
        key: for the randomised decomposition and its probes; not used for a whole Jacobian.
        subspaces: by name, orthonormal bases to compare with (see `oracles.basis_of`).
        rank: singular vectors wanted.
        probes: random directions for trace, dimensions and symmetry of a large Jacobian.
        whole: compute the whole Jacobian; by default where a sample has at most 1024 values.
        method: see `products_of`.
        step: see `products_of`.

    Raises:
        InvalidInput: inputs or outputs that are not finite, a basis of another size, a bad option.
    """
    inputs = floats("inputs", inputs)
    key = checked_key(key)
    size = math.prod(inputs.shape[1:])
    rank = min(errors.integer("rank", rank), size)
    errors.integer("probes", probes)
    if whole is not None:
        errors.flag("whole", whole)
    if not isinstance(subspaces, Mapping | None):
        raise errors.refuse("subspaces", subspaces, "bases by name")
    subspaces = subspaces or {}
    for name, basis in subspaces.items():
        if np.ndim(basis) != 2 or len(basis) != size:
            raise errors.refuse(f"subspaces[{name!r}]", np.shape(basis), f"shape ({size}, rank)")
    output_of(denoiser, inputs)  # refuses outputs of another shape, or not finite
    products = products_of(denoiser, inputs, method, step)
    if whole if whole is not None else size <= WHOLE:
        matrix = _whole(products, inputs)
        left, values, right = jnp.linalg.svd(matrix)
        left = jnp.swapaxes(left, 1, 2)
        trace = jnp.trace(matrix, axis1=1, axis2=2)
        energy = jnp.sum(matrix**2, axis=(1, 2))
        twice = jnp.sum(matrix * jnp.swapaxes(matrix, 1, 2), axis=(1, 2))
        within = {
            name: jnp.einsum("ir,bij,jr->b", basis, matrix, basis)
            for name, basis in subspaces.items()
        }
    else:
        left, values, right = _randomised(products, inputs, key, rank)
        trace, energy, twice = _hutchinson(products, inputs, jax.random.fold_in(key, 1), probes)
        within = {name: _within(products, inputs, basis) for name, basis in subspaces.items()}

    ranks = {name: np.shape(basis)[1] for name, basis in subspaces.items()}

    def as_samples(vectors: Array) -> Array:
        return vectors[:, :rank].reshape(len(inputs), rank, *inputs.shape[1:])

    return Portrait(
        values[:, :rank],
        as_samples(right),
        as_samples(left),
        trace,
        energy,
        twice / jnp.where(energy > 0, energy, 1.0),
        {name: inner / ranks[name] for name, inner in within.items()},
        {
            name: alignment(inner, trace, energy, size, ranks[name])
            for name, inner in within.items()
        },
        {
            name: alignment(
                ranks[name] - inner, size - trace, size - 2 * trace + energy, size, ranks[name]
            )
            for name, inner in within.items()
        },
    )


def alignment(
    inner: Float[Array, " batch"],
    trace: Float[Array, " batch"],
    energy: Float[Array, " batch"],
    size: int,
    rank: int,
) -> Float[Array, " batch"]:
    """Alignment of a Jacobian with the projector on a subspace: 0 is chance, 1 the projector.

    The cosine `<J, P> / (|J| |P|)` between matrices, less its mean over random rotations of the
    subspace, `tr(J) tr(P) / size / (|J| |P|)`, scaled so that `J = P` gives 1. A positive multiple
    of `J` gives the same; identity and zero give 0.

    Args:
        inner: `<J, P> = tr(B^T J B)`.
        trace: `tr J`.
        energy: `|J|^2`.
        size: values of a sample.
        rank: of the subspace.
    """
    norm = jnp.sqrt(jnp.where(energy > 0, energy, 1.0)) * math.sqrt(rank)
    chance = trace * rank / size / norm
    gap = jnp.where(jnp.abs(1 - chance) > 1e-6, 1 - chance, 1.0)
    return jnp.where(energy > 0, (inner / norm - chance) / gap, 0.0)


def _whole(products: Products, inputs: Samples) -> Float[Array, "batch size size"]:
    size = math.prod(inputs.shape[1:])
    if size > WHOLE:
        raise errors.refuse("inputs", inputs.shape, f"samples of at most {WHOLE} values")
    units = np.eye(size, dtype=np.float32).reshape(size, 1, *inputs.shape[1:])
    columns = products.jvp_all(np.broadcast_to(units, (size, *inputs.shape)))
    return jnp.moveaxis(columns.reshape(size, len(inputs), size), 0, -1)


def _randomised(
    products: Products, inputs: Samples, key: PRNGKeyArray, rank: int
) -> tuple[Array, Array, Array]:
    """Leading singular triples (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1)."""
    batch, size = len(inputs), math.prod(inputs.shape[1:])
    wide = min(rank + OVERSAMPLING, size)

    def through(product: Any, vectors: Float[Array, "batch size wide"]) -> Array:
        given = jnp.moveaxis(vectors, -1, 0).reshape(-1, *inputs.shape)
        return jnp.moveaxis(product(given).reshape(-1, batch, size), 0, -1)

    test = jax.random.normal(key, (batch, size, wide))
    found = jnp.linalg.qr(through(products.jvp_all, test))[0]
    for _ in range(POWER_STEPS):
        across = jnp.linalg.qr(through(products.vjp_all, found))[0]
        found = jnp.linalg.qr(through(products.jvp_all, across))[0]
    small = through(products.vjp_all, found)  # (Q^T J)^T
    right, values, inner = jnp.linalg.svd(small, full_matrices=False)
    left = found @ jnp.swapaxes(inner, 1, 2)
    return jnp.swapaxes(left, 1, 2), values, jnp.swapaxes(right, 1, 2)


def _hutchinson(
    products: Products, inputs: Samples, key: PRNGKeyArray, probes: int
) -> tuple[Array, Array, Array]:
    """Estimates of `tr J`, `|J|^2` and `tr(J J)` at each input."""
    signs = jax.random.rademacher(key, (probes * inputs.size,), jnp.float32)
    white = signs.reshape(probes, *inputs.shape)
    pushed, pulled = products.jvp_all(white), products.vjp_all(white)

    def inner(one: Array, other: Array) -> Array:
        return jnp.mean(jnp.sum((one * other).reshape(*one.shape[:2], -1), axis=-1), axis=0)

    return inner(white, pushed), inner(pushed, pushed), inner(pulled, pushed)


def _within(products: Products, inputs: Samples, basis: Basis) -> Float[Array, " batch"]:
    """`tr(B^T J B)` at each input."""
    columns = np.asarray(basis, np.float32).T.reshape(-1, 1, *inputs.shape[1:])
    given = np.broadcast_to(columns, (len(columns), *inputs.shape))
    pushed = products.jvp_all(given)
    return jnp.sum((given * pushed).reshape(len(columns), len(inputs), -1), axis=(0, 2))
