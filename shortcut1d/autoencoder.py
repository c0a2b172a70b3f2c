"""Autoencoder with a discrete code, over any number of axes; and what restores by it.

The generative prior of Hu et al. 2025 (arXiv 2502.12600, section 6) at toy scale: a VQ-VAE learns
clean content; then codebook and decoder are frozen, and only the encoder learns to find, in a
degraded input, the codes of the clean one. The output lies on the manifold of clean content.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from shortcut1d import codebook, errors
from shortcut1d.layers import EDGES, Conv, divisible, join_patches, split_patches

CODES = ("learnt", "random", "none")
COMMITMENT = 0.25  # weight of the encoder's distance to its codes (VQ-VAE, equation 3)
TUNED = ("encoder", "everything")
AIMS = ("codes", "output")


@dataclass(frozen=True)
class Autoencoder:
    """Halves the resolution a few times, quantises what is left, and doubles it again.

    width: channels. levels: halvings along each axis. kernel: taps along each axis, odd.
    books: codebooks a position. entries, dims: of each codebook. residual: codebooks one after the
    other rather than side by side. codes: "learnt" by moving averages, "random" ones that are
    never changed, or "none": an ordinary autoencoder. edges: "circular" or "reflect".
    """

    width: int = 24
    levels: int = 4
    kernel: int = 5
    books: int = 2
    entries: int = 256
    dims: int = 8
    residual: bool = False
    codes: str = "learnt"
    edges: str = "circular"

    def __post_init__(self) -> None:
        for field in ("width", "levels", "books", "dims"):
            errors.whole(field, getattr(self, field), high=4096)
        errors.whole("entries", self.entries, low=2, high=2**16)
        if errors.whole("kernel", self.kernel) % 2 == 0:
            raise errors.refuse("kernel", self.kernel, "an odd number of taps")
        errors.choice("codes", self.codes, CODES)
        errors.choice("edges", self.edges, EDGES)

    @property
    def latent(self) -> int:
        """Values of the latent vector at each position."""
        return self.dims if self.residual else self.books * self.dims

    def positions(self, space: tuple[int, ...]) -> int:
        """Latent vectors of a sample."""
        count = 1
        for axis in space:
            count *= axis // 2**self.levels
        return count

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`.

        Raises:
            InvalidInput: an axis that cannot be halved so often.
        """
        return _Autoencoder(self, space, channels, rngs)


@dataclass(frozen=True)
class Restorer:
    """An autoencoder that was trained on clean content, and learns to find it in degraded input.

    It begins with `restorer_weights`. inner: the autoencoder. tuned: what is trained, the
    "encoder" alone or "everything" (codebook and decoder too). aim: of the encoder, the "codes" of
    the clean sample (cross-entropy, and the distance of the latent vectors) or the "output".
    """

    inner: Autoencoder
    tuned: str = "encoder"
    aim: str = "codes"

    def __post_init__(self) -> None:
        errors.choice("tuned", self.tuned, TUNED)
        errors.choice("aim", self.aim, AIMS)
        if self.tuned == "everything" and self.aim == "codes":
            raise errors.refuse("aim", self.aim, "output, where everything is tuned: codes move")

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""
        return _Restorer(self, space, channels, rngs)


@dataclass(frozen=True)
class Search:
    """An autoencoder's decoder, and a search for the latent vectors whose output is like the input.

    Adam, from where the encoder puts them, on the mean absolute difference, which forgives what is
    rare and large. inner: the autoencoder, whose weights these are. steps, rate: of the search.
    """

    inner: Autoencoder
    steps: int = 20
    rate: float = 0.1

    def __post_init__(self) -> None:
        errors.whole("steps", self.steps)
        errors.number("rate", self.rate, above=0)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""
        return _Search(self, space, channels, rngs)


class _Autoencoder(nnx.Module):
    def __init__(
        self, made: Autoencoder, space: tuple[int, ...], channels: int, rngs: nnx.Rngs
    ) -> None:
        divisible("space", space, 2**made.levels)
        self.encoder = _Encoder(made, len(space), channels, rngs)
        self.decoder = _Decoder(made, len(space), channels, rngs)
        if made.codes != "none":
            shape = (made.books, made.entries, made.dims)
            flat = jax.random.normal(rngs.params(), (made.books * made.entries * made.dims,))
            self.books = nnx.Param(flat.reshape(shape))
            self.uses = nnx.Param(jnp.full(shape[:2], 1 / made.entries))
        self.made = made

    def __call__(
        self, x: Float[Array, "batch *space ch"], key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch *space ch"]:
        return self.decoder(self.discrete(self.encoder(x)))

    def quantised(self, latent: Array) -> codebook.Quantised:
        """The codes of latent vectors."""
        books = jax.lax.stop_gradient(self.books[...])
        return codebook.quantise(latent, books, self.made.residual)

    def discrete(self, latent: Array) -> Array:
        """What the decoder is given."""
        if self.made.codes == "none":
            return latent
        return codebook.passed_through(latent, self.quantised(latent).value)

    def objective(
        self, clean: Array, degraded: Array, distance: Any, key: PRNGKeyArray | None
    ) -> Float[Array, ""]:
        """Reconstruction, and the commitment of the encoder to its codes."""
        latent = self.encoder(degraded)
        if self.made.codes == "none":
            return jnp.mean(distance(self.decoder(latent) - clean))
        value = self.quantised(latent).value
        output = self.decoder(codebook.passed_through(latent, value))
        commitment = jnp.mean((latent - jax.lax.stop_gradient(value)) ** 2)
        return jnp.mean(distance(output - clean)) + COMMITMENT * commitment

    def settle(self, degraded: Array) -> None:
        """Move the codebooks towards what they are asked for."""
        if self.made.codes != "learnt":
            return
        found = self.quantised(self.encoder(degraded))
        asked = found.asked.reshape(-1, self.made.books, self.made.dims)
        codes = found.codes.reshape(-1, self.made.books)
        self.books[...], self.uses[...] = jax.vmap(codebook.averaged, in_axes=(0, 0, 1, 1))(
            self.books[...], self.uses[...], asked, codes
        )


class _Restorer(_Autoencoder):
    def __init__(
        self, made: Restorer, space: tuple[int, ...], channels: int, rngs: nnx.Rngs
    ) -> None:
        super().__init__(made.inner, space, channels, rngs)
        self.teacher = _Encoder(made.inner, len(space), channels, rngs)
        self.everything, self.aim = made.tuned == "everything", made.aim

    def objective(
        self, clean: Array, degraded: Array, distance: Any, key: PRNGKeyArray | None
    ) -> Float[Array, ""]:
        """What the encoder, or everything, is to come near to."""
        if self.everything:
            return super().objective(clean, degraded, distance, key)
        latent = self.encoder(degraded)
        if self.aim == "output":
            return jnp.mean(distance(self.frozen_decoder()(self.discrete(latent)) - clean))
        wanted = jax.lax.stop_gradient(self.teacher(clean))
        if self.made.codes == "none":
            return jnp.mean((latent - wanted) ** 2)
        target = self.quantised(wanted)
        # Each codebook is asked for what the clean sample's earlier codes leave of this latent.
        asked = target.asked + self._by_book(latent - wanted)
        books = jax.lax.stop_gradient(self.books[...])
        entropy = jnp.float32(0)
        for number, book in enumerate(books):
            chances = jax.nn.log_softmax(-codebook.distances(asked[..., number, :], book))
            chosen = jnp.take_along_axis(chances, target.codes[..., number, None], axis=-1)
            entropy = entropy - jnp.mean(chosen)
        return entropy / len(books) + jnp.mean((latent - target.value) ** 2)

    def _by_book(self, latent: Array) -> Float[Array, "*places books dims"]:
        """Each codebook's share of a latent vector; all of it where they come one after another."""
        if self.made.residual:
            return jnp.repeat(latent[..., None, :], self.made.books, axis=-2)
        return latent.reshape(*latent.shape[:-1], self.made.books, self.made.dims)

    def frozen_decoder(self) -> Any:
        """The decoder, whose weights have no slope."""
        definition, state = nnx.split(self.decoder)
        return nnx.merge(definition, jax.lax.stop_gradient(state))

    def settle(self, degraded: Array) -> None:
        """Codebooks move only where everything is trained."""
        if self.everything:
            super().settle(degraded)


class _Search(_Autoencoder):
    def __init__(self, made: Search, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> None:
        super().__init__(made.inner, space, channels, rngs)
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
    return Conv(
        rank, before, after, kernel=made.kernel, dilation=1, edges=made.edges, rngs=rngs
    )  # fmt: skip


def restorer_weights(params: dict[str, Any]) -> dict[str, Any]:
    """What a `Restorer` begins with, given an `Autoencoder`'s weights."""
    return {**params, "teacher": params["encoder"]}


def codes_of(
    network: Autoencoder, params: dict[str, Any], x: Float[Array, "batch *space channels"]
) -> Int[Array, "batch *fewer books"]:
    """The codes of some samples."""
    if network.codes == "none":
        raise errors.refuse("codes", network.codes, "an autoencoder with a codebook")
    return _codes(network, params, x)


def _codes(network: Autoencoder, params: dict[str, Any], x: Array) -> Array:
    abstract = nnx.eval_shape(
        lambda: network.module(x.shape[1:-1], x.shape[-1], nnx.Rngs(params=jax.random.key(0)))
    )
    module = nnx.merge(nnx.graphdef(abstract), params)
    return module.quantised(module.encoder(x)).codes
