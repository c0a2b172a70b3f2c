"""Products with a denoiser's Jacobian, exact where possible."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, floats, output_of

METHODS = ("auto", "jvp", "differences")
Product = Callable[[Any], Any]
JvpAt = Callable[[Samples, Samples], Any]


@runtime_checkable
class Differentiable(Protocol):
    """A denoiser with its own exact Jacobian products, as the PyTorch adapter does."""

    def __call__(self, inputs: Any, /) -> Any:
        """The denoised samples."""
        ...

    def products(self, inputs: Any, /) -> tuple[Product, Product]:
        """`v -> J v` and `u -> J^T u` at each of the inputs, on arrays of the inputs' shape."""
        ...


class FiniteDifferences:
    """A denoiser whose Jacobian products are finite differences, even if it has exact ones.

    For a denoiser whose own derivatives are wrong.
    """

    def __init__(self, denoiser: Denoiser, step: float) -> None:
        """step: length of the differences, as a share of the inputs' RMS."""
        self.denoiser, self.step = denoiser, step

    def __call__(self, inputs: Any, /) -> Any:
        """The denoised samples."""
        return self.denoiser(np.asarray(inputs))  # NumPy, which JAX cannot trace


class Products(NamedTuple):
    """Products with the Jacobian `J` at each input, on arrays of the inputs' shape.

    jvp: `v -> J v`. vjp: `u -> J^T u`; None where there is none. traceable: whether JAX can
    trace them. many: `J v` for each of many directions at once; None unless the denoiser has it.
    """

    jvp: Product
    vjp: Product | None
    traceable: bool
    many: Product | None = None

    def jvp_all(
        self, directions: Float[Array | np.ndarray, "many batch *space channels"]
    ) -> Float[Array, "many batch *space channels"]:
        """`J v` for each of many directions."""
        if self.many:
            return jnp.asarray(self.many(directions))
        return self._each(self.jvp, directions)

    def vjp_all(
        self, directions: Float[Array | np.ndarray, "many batch *space channels"]
    ) -> Float[Array, "many batch *space channels"]:
        """`J^T u` for each of many directions.

        Raises:
            InvalidInput: there is no transposed product.
        """
        if self.vjp is None:
            raise errors.InvalidInput(
                "denoiser: got a function that JAX cannot trace, expected one with a transposed "
                "Jacobian product (a JAX function, or adapters.from_torch of a PyTorch module)"
            )
        return self._each(self.vjp, directions)

    def _each(self, product: Product, directions: Any) -> Any:
        if self.traceable:
            return jax.lax.map(product, jnp.asarray(directions))
        return jnp.stack([jnp.asarray(product(v)) for v in directions])


def products_of(
    denoiser: Denoiser, inputs: Samples, method: str = "auto", step: float = 1e-3
) -> Products:
    """Products with the Jacobian of `denoiser` at each of `inputs`.

    Args:
        denoiser: any callable on arrays.
        inputs: where the Jacobian is taken.
        method: "jvp" for exact products (JAX callables, and denoisers with their own),
            "differences" for symmetric finite differences (any callable, `J v` only), "auto" for
            exact products where possible and differences elsewhere.
        step: length of the finite difference, as a share of the inputs' RMS.

    Raises:
        InvalidInput: an unknown method, a step that is not positive, inputs that are not finite.
    """
    errors.choice("method", method, METHODS)
    errors.number("step", step, above=0)
    inputs = floats("inputs", inputs)
    if isinstance(denoiser, FiniteDifferences):
        method, step = "differences", denoiser.step
    if method != "differences" and isinstance(denoiser, Differentiable):
        many = getattr(denoiser, "jvp_many", None)
        return Products(
            *denoiser.products(inputs),
            traceable=False,
            many=many and functools.partial(many, inputs),
        )
    if method == "jvp" or (method == "auto" and traceable(denoiser, inputs)):
        point = jnp.asarray(inputs)
        _, jvp = jax.linearize(denoiser, point)
        transposed = jax.linear_transpose(jvp, point)
        # Directions of other floats than the point would be refused.
        return Products(
            lambda v: jvp(jnp.asarray(v, point.dtype)),
            lambda u: transposed(jnp.asarray(u, point.dtype))[0],
            traceable=True,
        )
    return Products(
        lambda v: _difference(denoiser, inputs, np.asarray(v), step), None, traceable=False
    )


def jvp_at(denoiser: Denoiser, example: Samples) -> JvpAt:
    """`J v` as a function of inputs and of many directions at each of them.

    `products_of` linearises at every call, and JAX then compiles again. For a denoiser that JAX can
    trace, this function compiles once for each shape, and runs the network once for all directions.

    Args:
        denoiser: any callable on arrays.
        example: inputs to test whether JAX can trace the denoiser.
    """
    if isinstance(denoiser, Differentiable) or not traceable(denoiser, example):
        return lambda inputs, directions: products_of(denoiser, inputs).jvp_all(directions)

    @jax.jit
    def jvp(inputs: Array, directions: Array) -> Array:
        along = directions.astype(inputs.dtype)
        return jax.vmap(lambda v: jax.jvp(denoiser, (inputs,), (v,))[1])(along)

    return jvp


def traceable(denoiser: Denoiser, inputs: Samples) -> bool:
    """Whether JAX can trace the denoiser; a NumPy function raises when handed a tracer."""
    try:
        traced = jax.eval_shape(denoiser, jax.ShapeDtypeStruct(inputs.shape, jnp.float32))
    except Exception:  # whatever a foreign function raises; a real fault shows when called
        return False
    return isinstance(traced, jax.ShapeDtypeStruct) and jnp.issubdtype(traced.dtype, jnp.floating)


def _difference(
    denoiser: Denoiser, inputs: Samples, direction: np.ndarray, step: float
) -> Float[np.ndarray, "batch *space channels"]:
    point = np.asarray(inputs)
    scale = np.sqrt(np.mean(np.square(point))) or 1.0
    length = step * scale / (np.sqrt(np.mean(np.square(direction))) or 1.0)
    move = (length * direction).astype(point.dtype)
    ahead = np.asarray(output_of(denoiser, point + move), np.float64)
    behind = np.asarray(output_of(denoiser, point - move), np.float64)
    return (ahead - behind) / (2 * length)
