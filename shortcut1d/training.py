"""One training run as a pure function of a key, so that vmap, scan and sharding compose over it.

A run goes in segments of steps. Between two segments the caller may look at the clock, draw a
progress bar or save; inside one there is only arithmetic.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from shortcut1d import errors, networks
from shortcut1d.family import Content, Degradation, draw_pair
from shortcut1d.gradient import LOSSES, loss_and_gradient
from shortcut1d.networks import Network, Params


@dataclass(frozen=True)
class Schedule:
    """How long and how a network is trained.

    steps: Adam steps. batch: fresh samples a step. learning_rate: at the start; it decays to 0
    on a cosine. loss: "mse" or "l1". segments: parts that the run is cut into; the history
    has one entry a part. Static: another schedule is another compilation.
    """

    steps: int = 600
    batch: int = 32
    learning_rate: float = 3e-3
    loss: str = "mse"
    segments: int = 10

    def __post_init__(self) -> None:
        errors.whole("steps", self.steps)
        errors.whole("batch", self.batch)
        errors.number("learning_rate", self.learning_rate, above=0)
        errors.choice("loss", self.loss, LOSSES)
        errors.whole("segments", self.segments, high=self.steps)
        if self.steps % self.segments:
            raise errors.refuse("segments", self.segments, f"a divisor of steps={self.steps}")

    def optimiser(self) -> optax.GradientTransformation:
        """Adam under a cosine decay."""
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, self.steps))


@struct.dataclass
class State:
    """A run between two segments."""

    params: Params
    moments: Any
    key: PRNGKeyArray
    step: Int[Array, "..."]
    diverged: Bool[Array, "..."]


class Trained(NamedTuple):
    """What a run leaves.

    params: weights. history: mean loss of each segment. diverged: the loss, or its gradient,
    stopped being finite; the weights are then the last finite ones.
    """

    params: Params
    history: Float[Array, "*cells segments"]
    diverged: Bool[Array, "*cells"]


def start(key: PRNGKeyArray, content: Content, network: Network, schedule: Schedule) -> State:
    """A run before its first step."""
    init_key, data_key = jax.random.split(key)
    one = jax.eval_shape(lambda k: content.sample(k, 1), init_key)
    params = networks.init(network, init_key, one.shape[1:-1], one.shape[-1])
    moments = schedule.optimiser().init(params)
    return State(params, moments, data_key, jnp.int32(0), jnp.bool_(False))


def advance(
    state: State,
    content: Content,
    degradation: Degradation,
    network: Network,
    schedule: Schedule,
) -> tuple[State, Float[Array, ""]]:
    """One segment of the run, on fresh samples at every step; and its mean loss."""
    optimiser = schedule.optimiser()

    def step(state: State, _: None) -> tuple[State, Float[Array, ""]]:
        step_key = jax.random.fold_in(state.key, state.step)
        clean, degraded = draw_pair(step_key, content, degradation, schedule.batch)
        loss, slope = loss_and_gradient(state.params, clean, degraded, network, schedule.loss)
        sound = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(slope)) & ~state.diverged
        # A diverged run is frozen, so that a thousand others can go on beside it. What goes into
        # Adam and what comes out is masked: a choice between old and new state costs a tenth more.
        slope = _where(sound, slope)
        update, moments = optimiser.update(slope, state.moments, state.params)
        params = optax.apply_updates(state.params, _where(sound, update))
        return State(params, moments, state.key, state.step + 1, ~sound), loss

    steps = schedule.steps // schedule.segments
    state, losses = jax.lax.scan(step, state, None, length=steps)
    return state, jnp.mean(losses)


def train(
    key: PRNGKeyArray,
    content: Content,
    degradation: Degradation,
    network: Network,
    schedule: Schedule,
) -> Trained:
    """The whole run: train `network` to take `degradation` off `content`.

    Pure and traceable: `jax.vmap(train, in_axes=(0, 0, 0, None, None))` trains a grid over stacked
    keys and families (see `family.stack`). `grid.train` does the same with progress and devices.
    """
    state, history = jax.lax.scan(
        lambda state, _: advance(state, content, degradation, network, schedule),
        start(key, content, network, schedule),
        None,
        length=schedule.segments,
    )
    return Trained(state.params, history, state.diverged)


def _where(sound: Bool[Array, ""], tree: Any) -> Any:
    """`tree`, or zeros."""
    return jax.tree.map(lambda leaf: jnp.where(sound, leaf, 0), tree)
