"""Autoencoder with a discrete code, over any number of axes; and what restores by it.

The generative prior of Hu et al. 2025 (arXiv 2502.12600) at toy scale: a VQ-VAE learns clean
content; then codebook and decoder are frozen, and only the encoder learns to find, in a degraded
input, the codes of the clean one. The output lies on the manifold of clean content.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.networks import quantiser
from shortcut1d.networks.layers import EDGES, Conv, divisible, join_patches, split_patches

COMMITMENT = 0.25  # weight of the encoder's distance to its codes (VQ-VAE, equation 3)
Weights = dict[str, Any]
Scalar = Float[Array, ""] | float


class Recipe(NamedTuple):
    """What an autoencoder is, and how it is trained: part of its weights, so that all kinds share
    one compiled program. Each 0 or 1, but for `active`.

    coded: latent vectors are quantised. active: entries of a codebook in use; 0 for all. moving:
    codebooks follow what they are asked for. whole: the decoder is trained, not the encoder alone.
    to_codes: the encoder is to find the codes of the clean sample, as the encoder with which it
    began does (cross-entropy, and the distance of the latent vectors); otherwise the output is to
    be the clean sample.
    """

    coded: Scalar = 1.0
    active: Scalar = 0.0
    moving: Scalar = 1.0
    whole: Scalar = 1.0
    to_codes: Scalar = 0.0


PRIOR = Recipe()
RANDOM_CODE = Recipe(moving=0.0)
NO_CODE = Recipe(coded=0.0)
# What is changed of a prior's recipe to restore by it.
TO_CODES = {"moving": 0.0, "whole": 0.0, "to_codes": 1.0}
TO_OUTPUT = {"moving": 0.0, "whole": 0.0}
EVERYTHING = {"moving": 1.0, "whole": 1.0}


@dataclass(frozen=True)
class Autoencoder:
    """Halves the resolution a few times, quantises what is left, and doubles it again.

    width: channels. levels: halvings along each axis. kernel: taps along each axis, odd.
    books: codebooks a position. entries, dims: of each codebook. residual: codebooks one after the
    other rather than side by side. edges: "circular" or "reflect". What kind it is and how it is
    trained is in its weights: see `Recipe`. A derivative of it sees the straight-through surrogate:
    the novelty response of one with a code is that of its encoder and decoder, without the steps.
    """

    width: int = 32
    levels: int = 4
    kernel: int = 3
    books: int = 2
    entries: int = 256
    dims: int = 8
    residual: bool = False
    edges: str = "circular"
    fixed_weights: ClassVar[bool] = True  # the recipe

    def __post_init__(self) -> None:
        errors.check_types(self)
        for field in ("width", "books", "dims"):
            errors.integer(field, getattr(self, field), high=4096)
        errors.integer("levels", self.levels, high=16)
        errors.integer("entries", self.entries, low=2, high=2**16)
        if errors.integer("kernel", self.kernel) % 2 == 0:
            raise errors.refuse("kernel", self.kernel, "an odd number of taps")
        errors.choice("edges", self.edges, EDGES)

    @property
    def latent(self) -> int:
        """Values of the latent vector at each position."""
        return self.dims if self.residual else self.books * self.dims

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`.

        Raises:
            InvalidInput: an axis that cannot be halved so often.
        """
        divisible("space", space, 2**self.levels)
        return _Autoencoder(self, len(space), channels, rngs)


@dataclass(frozen=True)
class Search:
    """An autoencoder's decoder, and a search for the latent vectors whose output is like the input.

    Adam, from where the encoder puts them, on the mean absolute difference, which forgives what is
    rare and large. inner: the autoencoder, whose weights these are. steps, rate: of the search.
    """

    inner: Autoencoder
    steps: int = 20
    rate: float = 0.1
    fixed_weights: ClassVar[bool] = True

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("steps", self.steps)
        errors.number("rate", self.rate, above=0, high=1e6)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""
        divisible("space", space, 2**self.inner.levels)
        return _Search(self, len(space), channels, rngs)


class _Autoencoder(nnx.Module):
    def __init__(self, made: Autoencoder, rank: int, channels: int, rngs: nnx.Rngs) -> None:
        self.encoder = _Encoder(made, rank, channels, rngs)
        self.teacher = _Encoder(made, rank, channels, rngs)
        self.decoder = _Decoder(made, rank, channels, rngs)
        shape = (made.books, made.entries, made.dims)
        flat = jax.random.normal(rngs.params(), (made.books * made.entries * made.dims,))
        self.codebooks = nnx.Param(flat.reshape(shape))
        self.uses = nnx.Param(jnp.full(shape[:2], 1 / made.entries))
        self.recipe = nnx.Param(jnp.array(PRIOR))
        self.made = made

    def __call__(
        self, x: Float[Array, "batch *space ch"], key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch *space ch"]:
        return self.decoder(self.discrete(self.encoder(x)))

    def followed(self) -> Recipe:
        """The recipe, which is not learnt."""
        recipe = Recipe(*jax.lax.stop_gradient(self.recipe[...]))
        every = self.made.entries
        return recipe._replace(active=jnp.where(recipe.active > 0, recipe.active, every))

    def quantised(self, latent: Array) -> quantiser.Quantised:
        """The codes of latent vectors."""
        books = jax.lax.stop_gradient(self.codebooks[...])
        return quantiser.quantise(latent, books, self.followed().active, self.made.residual)

    def discrete(self, latent: Array) -> Array:
        """What the decoder is given."""
        value = jnp.where(self.followed().coded > 0, self.quantised(latent).value, latent)
        return quantiser.straight_through(latent, value)

    def objective(
        self, clean: Array, degraded: Array, distance: Any, key: PRNGKeyArray | None
    ) -> Float[Array, ""]:
        """What the recipe asks for."""
        recipe = self.followed()

        def far_from_output(latent: Array) -> Float[Array, ""]:
            discrete = self.discrete(latent)
            output = self._decoder(recipe.whole)(discrete)
            commitment = jnp.mean((latent - jax.lax.stop_gradient(discrete)) ** 2)
            return jnp.mean(distance(output - clean)) + COMMITMENT * commitment

        # Where cells are trained one after the other, only what is asked for is computed.
        return jax.lax.cond(
            recipe.to_codes > 0,
            lambda latent: self._unlike_teacher(latent, clean),
            far_from_output,
            self.encoder(degraded),
        )

    def _unlike_teacher(self, latent: Array, clean: Array) -> Float[Array, ""]:
        """Cross-entropy with the codes of the clean sample, and the distance to what they stand
        for; where there is no code, the distance of the latent vectors.

        Each entry stands for a Gaussian as wide as clean samples lie round their entries: without
        that scale a small latent space makes all entries alike, and the encoder runs away from it.
        """
        recipe = self.followed()
        wanted = jax.lax.stop_gradient(self.teacher(clean))
        target = self.quantised(wanted)
        # Each codebook is asked for what the clean sample's earlier codes leave of this latent.
        targets = target.targets + self._by_book(latent - wanted)
        unlike = jnp.float32(0)
        for number, book in enumerate(jax.lax.stop_gradient(self.codebooks[...])):
            codes = target.codes[..., number]
            spread = jnp.mean((target.targets[..., number, :] - book[codes]) ** 2) + 1e-12
            far = quantiser.distances(targets[..., number, :], book, recipe.active) / (2 * spread)
            near = jnp.take_along_axis(far, codes[..., None], axis=-1)
            entropy = jnp.mean(near[..., 0] + jax.nn.logsumexp(-far, axis=-1))
            unlike += (entropy + jnp.mean(near)) / self.made.books
        return jnp.where(recipe.coded > 0, unlike, jnp.mean((latent - wanted) ** 2))

    def _by_book(self, latent: Array) -> Float[Array, "*places books dims"]:
        """Each codebook's share of a latent vector; all of it where they come one after another."""
        if self.made.residual:
            return jnp.repeat(latent[..., None, :], self.made.books, axis=-2)
        return latent.reshape(*latent.shape[:-1], self.made.books, self.made.dims)

    def _decoder(self, whole: Scalar) -> Any:
        """The decoder, whose weights have a slope only where it is trained."""
        definition, state = nnx.split(self.decoder)
        frozen = jax.lax.stop_gradient(state)
        return nnx.merge(
            definition, jax.tree.map(lambda w, f: whole * w + (1 - whole) * f, state, frozen)
        )

    def post_step(self, degraded: Array) -> None:
        """Move the codebooks towards what they are asked for."""
        recipe, encoder, made = self.followed(), self.encoder, self.made

        def moved(books: Array, uses: Array) -> tuple[Array, Array]:
            found = quantiser.quantise(encoder(degraded), books, recipe.active, made.residual)
            targets = found.targets.reshape(-1, made.books, made.dims)
            codes = found.codes.reshape(-1, made.books)
            follow = jax.vmap(quantiser.moving_average, in_axes=(0, 0, 1, 1, None))
            return follow(books, uses, targets, codes, recipe.active)

        self.codebooks[...], self.uses[...] = jax.lax.cond(
            recipe.moving * recipe.coded > 0,
            moved,
            lambda books, uses: (books, uses),
            self.codebooks[...],
            self.uses[...],
        )


class _Search(_Autoencoder):
    def __init__(self, made: Search, rank: int, channels: int, rngs: nnx.Rngs) -> None:
        super().__init__(made.inner, rank, channels, rngs)
        self.search = made

    def __call__(
        self, x: Float[Array, "batch *space ch"], key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch *space ch"]:
        optimiser = optax.adam(self.search.rate)

        def unlike(latent: Array) -> Float[Array, ""]:
            # A sum over samples, so that one's search does not depend on the others.
            return jnp.sum(jnp.abs(self.decoder(self.discrete(latent)) - x))

        def step(_: Any, state: tuple[Array, Any]) -> tuple[Array, Any]:
            latent, moments = state
            update, moments = optimiser.update(jax.grad(unlike)(latent), moments)
            return latent + jnp.asarray(update), moments

        begin = self.encoder(x)
        latent, _ = jax.lax.fori_loop(0, self.search.steps, step, (begin, optimiser.init(begin)))
        return self.decoder(self.discrete(latent))


class _Encoder(nnx.Module):
    def __init__(self, made: Autoencoder, rank: int, channels: int, rngs: nnx.Rngs) -> None:
        self.first = _conv(made, rank, channels, made.width, rngs)
        self.down = nnx.List(
            [_conv(made, rank, made.width * 2**rank, made.width, rngs) for _ in range(made.levels)]
        )
        self.last = _conv(made, rank, made.width, made.latent, rngs)

    def __call__(self, x: Float[Array, "batch *space ch"]) -> Float[Array, "batch *fewer latent"]:
        hidden = jax.nn.relu(self.first(x))
        for layer in self.down:
            hidden = jax.nn.relu(layer(split_patches(hidden, 2)))
        return self.last(hidden)


class _Decoder(nnx.Module):
    def __init__(self, made: Autoencoder, rank: int, channels: int, rngs: nnx.Rngs) -> None:
        self.first = _conv(made, rank, made.latent, made.width, rngs)
        self.up = nnx.List(
            [_conv(made, rank, made.width, made.width * 2**rank, rngs) for _ in range(made.levels)]
        )
        self.last = _conv(made, rank, made.width, channels, rngs)

    def __call__(self, z: Float[Array, "batch *fewer latent"]) -> Float[Array, "batch *space ch"]:
        hidden = jax.nn.relu(self.first(z))
        for layer in self.up:
            hidden = join_patches(jax.nn.relu(layer(hidden)), 2)
        return self.last(hidden)


def _conv(made: Autoencoder, rank: int, before: int, after: int, rngs: nnx.Rngs) -> Conv:
    return Conv(rank, before, after, kernel=made.kernel, dilation=1, edges=made.edges, rngs=rngs)


def by(recipe: Recipe, weights: Weights) -> Weights:
    """Weights under another recipe; the entries that it has in use begin as used alike."""
    uses = weights["uses"]
    return {
        **weights,
        "recipe": jnp.asarray(recipe, jnp.float32),
        "uses": jnp.full_like(uses, 1 / (recipe.active or uses.shape[-1])),
    }


def restoring(weights: Weights, **changes: float) -> Weights:
    """What a trained prior begins with to restore: a changed recipe, and itself as the teacher.

    changes: of its recipe, such as `TO_CODES`.
    """
    recipe = Recipe(*(float(part) for part in weights["recipe"]))._replace(**changes)
    return by(recipe, weights) | {"teacher": weights["encoder"], "uses": weights["uses"]}
