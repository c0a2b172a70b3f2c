"""Gradients with respect to the input, with or without the denoiser's transposed product."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, output_of
from shortcut1d.analysis.portrait import WHOLE, jacobian
from shortcut1d.analysis.products import METHODS, Differentiable, Products, products_of, traceable

Score = Callable[[Array], Float[Array, " batch"]]


def transposable(denoiser: Denoiser, inputs: Samples, method: str, step: float) -> Products:
    """`products_of`, with a transposed product for a plain callable on small samples as well.

    For such a callable it is made of finite differences along each input value.

    Raises:
        InvalidInput: a plain callable, and samples of more than 1024 values; what `products_of`
            refuses.
    """
    products = products_of(denoiser, inputs, method, step)
    if products.vjp is not None:
        return products
    size = math.prod(inputs.shape[1:])
    if size > WHOLE:
        raise errors.InvalidInput(
            f"denoiser: got a function without exact gradients on samples of {size} values, "
            f"expected at most {WHOLE} of them, a JAX function, or adapters.from_torch of a "
            "PyTorch module; causal_effect needs no gradients"
        )
    matrix = jacobian(denoiser, inputs, method, step)

    def vjp(direction: Samples) -> Samples:
        flat = jnp.asarray(direction).reshape(len(inputs), size)
        return jnp.einsum("bij,bi->bj", matrix, flat).reshape(inputs.shape)

    return products._replace(vjp=vjp)


def gradient_of(
    denoiser: Denoiser, score: Score, example: Samples, method: str, step: float
) -> Callable[[Samples], Samples]:
    """The gradient of a score of each sample's output, as a function of the inputs.

    Args:
        denoiser: any callable on arrays; samples must not depend on one another.
        score: a JAX function of outputs, one number a sample.
        example: inputs to test whether JAX can trace the denoiser.
        method: see `products_of`.
        step: see `products_of`.

    Raises:
        InvalidInput: an unknown method, a step that is not positive; when called, what
            `transposable` refuses.
    """
    errors.choice("method", method, METHODS)
    errors.number("step", step, above=0)
    foreign = isinstance(denoiser, Differentiable) or not traceable(denoiser, example)
    if not foreign and method != "differences":
        # `transposable` would make JAX trace and compile the network at every call.
        return jax.jit(jax.grad(lambda inputs: jnp.sum(score(denoiser(inputs)))))

    of_output = jax.jit(jax.grad(lambda output: jnp.sum(score(output))))

    def gradient(inputs: Samples) -> Samples:
        products = transposable(denoiser, inputs, method, step)
        direction = of_output(jnp.asarray(output_of(denoiser, inputs)))
        return products.vjp_all(direction[None])[0]

    return gradient
