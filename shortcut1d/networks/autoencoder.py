"""Autoencoder with a discrete code, over any number of axes, and restoration with it.

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
from shortcut1d.networks import layers, quantiser
from shortcut1d.networks.layers import Batch

COMMITMENT = 0.25  # weight of the encoder's distance to its codes (VQ-VAE, equation 3)
Weights = dict[str, Any]
Scalar = Float[Array, ""] | float


class Recipe(NamedTuple):
    """The kind of an autoencoder and how it is trained: settings that are part of its weights.

    So all kinds share one compiled program. All but `active` are 0 or 1.

    coded: latent vectors are quantised.
    active: entries of a codebook in use; 0 for all.
    moving: codebooks follow the latent vectors (moving averages).
    train_decoder: the decoder is trained too, not only the encoder.
    to_codes: the encoder learns the codes that the teacher (the prior's encoder) gives to the clean
        sample, by cross-entropy and the distance of the latent vectors. Otherwise the output is
        trained towards the clean sample.
    """

    coded: Scalar = 1.0
    active: Scalar = 0.0
    moving: Scalar = 1.0
    train_decoder: Scalar = 1.0
    to_codes: Scalar = 0.0


PRIOR = Recipe()
RANDOM_CODE = Recipe(moving=0.0)
NO_CODE = Recipe(coded=0.0)
# Changes to a prior's recipe that train it for restoration.
TO_CODES = {"moving": 0.0, "train_decoder": 0.0, "to_codes": 1.0}
TO_OUTPUT = {"moving": 0.0, "train_decoder": 0.0}
CODE_TOO = {"moving": 1.0, "train_decoder": 0.0}
EVERYTHING = {"moving": 1.0, "train_decoder": 1.0}


@dataclass(frozen=True)
class Autoencoder:
    """Halves the resolution a few times, quantises the latent vectors, and doubles it again.

    Its kind and its training are settings among its weights: see `Recipe`. Derivatives are those
    of the straight-through surrogate: with a code, the novelty response is measured on encoder and
    decoder as if there were no quantisation between them.

    width: channels.
    levels: halvings along each axis.
    kernel: taps along each axis, odd.
    books: codebooks a position.
    entries: entries of each codebook.
    dims: values of each entry.
    residual: residual codebooks rather than product ones.
    edges: "circular" or "reflect".
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
        errors.integer_fields(self, "width", "books", "dims", high=4096)
        errors.integer_fields(self, "levels", high=16)
        errors.integer_fields(self, "entries", low=2, high=2**16)
        layers.check_convolutions(self)

    @property
    def latent(self) -> int:
        """Values of the latent vector at each position."""
        return self.dims if self.residual else self.books * self.dims

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        layers.divisible("space", space, 2**self.levels)
        return _Autoencoder(self, len(space), channels, rngs)


@dataclass(frozen=True)
class Search:
    """An autoencoder that searches for the latent vectors whose output is closest to the input.

    Adam, starting from the encoder's latent vectors, on the mean absolute difference, which is
    robust to rare large errors.

    inner: the autoencoder; a `Search` has the same weights.
    steps: steps of the search.
    rate: learning rate of the search.
    """

    inner: Autoencoder
    steps: int = 20
    rate: float = 0.1
    fixed_weights: ClassVar[bool] = True

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("steps", self.steps)
        errors.number("rate", self.rate, above=0, high=errors.MAX_RATE)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        layers.divisible("space", space, 2**self.inner.levels)
        return _Search(self, len(space), channels, rngs)


class _Autoencoder(nnx.Module):
    def __init__(self, config: Autoencoder, rank: int, channels: int, rngs: nnx.Rngs) -> None:
        self.encoder = _Encoder(config, rank, channels, rngs)
        self.teacher = _Encoder(config, rank, channels, rngs)
        self.decoder = _Decoder(config, rank, channels, rngs)
        shape = (config.books, config.entries, config.dims)
        flat = jax.random.normal(rngs.params(), (config.books * config.entries * config.dims,))
        self.codebooks = nnx.Param(flat.reshape(shape))
        self.uses = nnx.Param(jnp.full(shape[:2], 1 / config.entries))
        self.recipe = nnx.Param(jnp.array(PRIOR))
        self.config = config

    def __call__(self, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
        return self.decoder(self.discrete(self.encoder(x)))

    def current_recipe(self) -> Recipe:
        """The recipe from the weights, without a gradient; an `active` of 0 becomes all entries."""
        recipe = Recipe(*jax.lax.stop_gradient(self.recipe[...]))
        active = jnp.where(recipe.active > 0, recipe.active, self.config.entries)
        return recipe._replace(active=active)

    def quantised(self, latent: Array) -> quantiser.Quantised:
        """The codes of latent vectors."""
        books = jax.lax.stop_gradient(self.codebooks[...])
        recipe = self.current_recipe()
        return quantiser.quantise(latent, books, recipe.active, self.config.residual)

    def discrete(self, latent: Array) -> Array:
        """The decoder's input: the quantised latent vectors, or the vectors themselves."""
        value = jnp.where(self.current_recipe().coded > 0, self.quantised(latent).value, latent)
        return quantiser.straight_through(latent, value)

    def objective(
        self, clean: Array, degraded: Array, distance: Any, key: PRNGKeyArray | None
    ) -> Float[Array, ""]:
        """The training loss that the recipe selects."""
        recipe = self.current_recipe()

        def output_loss(latent: Array) -> Float[Array, ""]:
            discrete = self.discrete(latent)
            output = self._decoder(recipe.train_decoder)(discrete)
            commitment = jnp.mean((latent - jax.lax.stop_gradient(discrete)) ** 2)
            return jnp.mean(distance(output - clean)) + COMMITMENT * commitment

        def code_loss(latent: Array) -> Float[Array, ""]:
            return self._teacher_loss(latent, clean)

        # Where cells are trained one after the other, only the selected loss is computed.
        latent = self.encoder(degraded)
        return jax.lax.cond(recipe.to_codes > 0, code_loss, output_loss, latent)

    def _teacher_loss(self, latent: Array, clean: Array) -> Float[Array, ""]:
        """Cross-entropy with the teacher's codes of the clean sample, plus the distance to their
        entries; without a code, the distance to the teacher's latent vectors.

        Each entry is the mean of a Gaussian, as wide as the spread of clean samples around their
        entries. Without that scale, all entries of a small latent space are almost equally likely,
        and the encoder diverges as it learns to tell them apart.
        """
        recipe = self.current_recipe()
        wanted = jax.lax.stop_gradient(self.teacher(clean))
        taught = self.quantised(wanted)
        # A residual codebook's target is what the teacher's earlier codes leave of this latent.
        targets = taught.targets + self._by_book(latent - wanted)
        loss = jnp.float32(0)
        for number, book in enumerate(jax.lax.stop_gradient(self.codebooks[...])):
            codes = taught.codes[..., number]
            spread = jnp.mean((taught.targets[..., number, :] - book[codes]) ** 2) + 1e-12
            scaled = quantiser.distances(targets[..., number, :], book, recipe.active)
            scaled = scaled / (2 * spread)
            own = jnp.take_along_axis(scaled, codes[..., None], axis=-1)
            entropy = jnp.mean(own[..., 0] + jax.nn.logsumexp(-scaled, axis=-1))
            loss += (entropy + jnp.mean(own)) / self.config.books
        return jnp.where(recipe.coded > 0, loss, jnp.mean((latent - wanted) ** 2))

    def _by_book(self, latent: Array) -> Float[Array, "*places books dims"]:
        """Each product codebook's part of a latent vector; all of it for each residual one."""
        if self.config.residual:
            return jnp.repeat(latent[..., None, :], self.config.books, axis=-2)
        return latent.reshape(*latent.shape[:-1], self.config.books, self.config.dims)

    def _decoder(self, trained: Scalar) -> Any:
        """The decoder, whose weights have a gradient only where `trained` is 1."""

        def freeze(weight: Array) -> Array:
            return trained * weight + (1 - trained) * jax.lax.stop_gradient(weight)

        definition, state = nnx.split(self.decoder)
        return nnx.merge(definition, jax.tree.map(freeze, state))

    def post_step(self, degraded: Array) -> None:
        """Move the codebooks towards their targets."""
        recipe, encoder, config = self.current_recipe(), self.encoder, self.config

        def moved(books: Array, uses: Array) -> tuple[Array, Array]:
            found = quantiser.quantise(encoder(degraded), books, recipe.active, config.residual)
            targets = found.targets.reshape(-1, config.books, config.dims)
            codes = found.codes.reshape(-1, config.books)
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
    def __init__(self, config: Search, rank: int, channels: int, rngs: nnx.Rngs) -> None:
        super().__init__(config.inner, rank, channels, rngs)
        self.search = config

    def __call__(self, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
        optimiser = optax.adam(self.search.rate)

        def difference(latent: Array) -> Float[Array, ""]:
            # A sum over samples, so that the search of one does not depend on the others.
            return jnp.sum(jnp.abs(self.decoder(self.discrete(latent)) - x))

        def step(_: Any, state: tuple[Array, Any]) -> tuple[Array, Any]:
            latent, moments = state
            update, moments = optimiser.update(jax.grad(difference)(latent), moments)
            return latent + jnp.asarray(update), moments

        start = self.encoder(x)
        latent, _ = jax.lax.fori_loop(0, self.search.steps, step, (start, optimiser.init(start)))
        return self.decoder(self.discrete(latent))


class _Encoder(nnx.Module):
    def __init__(self, config: Autoencoder, rank: int, channels: int, rngs: nnx.Rngs) -> None:
        conv, width = layers.convolutions(config, rank, rngs), config.width
        self.first = conv(channels, width)
        self.down = nnx.List([conv(width * 2**rank, width) for _ in range(config.levels)])
        self.last = conv(width, config.latent)

    def __call__(self, x: Batch) -> Float[Array, "batch *fewer latent"]:
        hidden = jax.nn.relu(self.first(x))
        for layer in self.down:
            hidden = jax.nn.relu(layer(layers.split_patches(hidden, 2)))
        return self.last(hidden)


class _Decoder(nnx.Module):
    def __init__(self, config: Autoencoder, rank: int, channels: int, rngs: nnx.Rngs) -> None:
        conv, width = layers.convolutions(config, rank, rngs), config.width
        self.first = conv(config.latent, width)
        self.up = nnx.List([conv(width, width * 2**rank) for _ in range(config.levels)])
        self.last = conv(width, channels)

    def __call__(self, z: Float[Array, "batch *fewer latent"]) -> Batch:
        hidden = jax.nn.relu(self.first(z))
        for layer in self.up:
            hidden = layers.join_patches(jax.nn.relu(layer(hidden)), 2)
        return self.last(hidden)


def with_recipe(recipe: Recipe, weights: Weights) -> Weights:
    """Set the recipe, and reset the usage of the codebooks' entries to uniform."""
    uses = weights["uses"]
    return {
        **weights,
        "recipe": jnp.asarray(recipe, jnp.float32),
        "uses": jnp.full_like(uses, 1 / (recipe.active or uses.shape[-1])),
    }


def init_restoration(weights: Weights, **changes: float) -> Weights:
    """Initial weights for restoration: a trained prior with itself as the teacher.

    changes: changes to its recipe, such as `TO_CODES`.
    """
    recipe = Recipe(*(float(part) for part in weights["recipe"]))._replace(**changes)
    return weights | {"recipe": jnp.asarray(recipe, jnp.float32), "teacher": weights["encoder"]}
