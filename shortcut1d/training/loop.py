"""One training run as a pure function of a key, so that vmap, scan and sharding compose over it.

A run goes in parts. Between two of them the caller may look at the clock, draw a progress bar,
test the network or save; inside one there is only arithmetic. The length of a part, the learning
rate and the number of steps are traced: one compiled program serves them all.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from shortcut1d import errors, networks
from shortcut1d.data.family import Content, Degradation, draw_pair
from shortcut1d.data.pytrees import pytree
from shortcut1d.networks import Network, Params
from shortcut1d.training.gradient import LOSSES, loss_and_gradient


@dataclass(frozen=True)
class Schedule:
    """How long and how a network is trained.

    steps: Adam steps over which the learning rate decays.
    batch: fresh samples a step.
    learning_rate: at the start; it decays to 0 on a cosine (Loshchilov and Hutter 2017).
    loss: "mse" or "l1".
    checkpoints: steps after which the network is tested, in rising order (0: untrained). Training
        ends at the last, which may come before the decay does: early stopping. Empty: at the end.
    weight_decay: decoupled (AdamW, Loshchilov and Hutter 2019).
    sharpness: radius of sharpness-aware minimisation (Foret et al. 2021), two gradients a step;
        0 for none.
    """

    steps: int = 600
    batch: int = 32
    learning_rate: float = 3e-3
    loss: str = "mse"
    checkpoints: tuple[int, ...] = ()
    weight_decay: float = 0.0
    sharpness: float = 0.0

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer_fields(self, "steps", "batch")
        errors.number("learning_rate", self.learning_rate, above=0, high=errors.MAX_RATE)
        errors.choice("loss", self.loss, LOSSES)
        for step in self.checkpoints:
            errors.integer("checkpoints", step, low=0, high=self.steps)
        errors.rising("checkpoints", self.checkpoints, "steps in rising order", low=0)
        errors.number("weight_decay", self.weight_decay, low=0, high=errors.MAX_RATE)
        errors.number("sharpness", self.sharpness, low=0, high=errors.MAX_RATE)

    def static(self) -> "Schedule":
        """What a compiled program depends on; schedules that share it share the program.

        Steps and rate are traced and checkpoints stay on the host, so here all three are fixed.
        """
        return dataclasses.replace(self, steps=1, learning_rate=1.0, checkpoints=())

    def pace(self) -> Float[np.ndarray, "2"]:
        """Half of the initial learning rate, and the angle per step of the cosine, `pi / steps`.

        The rate at step n is `pace[0] * (1 + cos(pace[1] * n))`.
        """
        angle = np.float32(np.pi) * (np.float32(1) / np.float32(self.steps))
        return np.array([np.float32(self.learning_rate) * np.float32(0.5), angle])

    def checkpoint_steps(self) -> tuple[int, ...]:
        """Steps after which the network is tested."""
        return self.checkpoints or (self.steps,)

    def parts(self) -> tuple[int, ...]:
        """Steps at which a part begins or ends: tenths of the run, and all checkpoints."""
        tested = self.checkpoint_steps()
        return tuple(sorted({tested[-1] * tenth // 10 for tenth in range(11)} | set(tested)))


@pytree
class State:
    """A run between two parts. pace: see `Schedule.pace`."""

    params: Params
    moments: Any
    key: PRNGKeyArray
    step: Int[Array, "..."]
    diverged: Bool[Array, "..."]
    pace: Float[Array, "... 2"]


class Trained(NamedTuple):
    """What a run leaves.

    params: weights.
    history: mean loss of each part so far.
    diverged: the loss, or its gradient, stopped being finite; the weights are then the last
        finite ones.
    """

    params: Params
    history: Float[Array, "*cells parts"]
    diverged: Bool[Array, "*cells"]


def start(
    key: PRNGKeyArray,
    content: Content,
    init_params: Params | None,
    pace: Float[Array | np.ndarray, "2"],
    network: Network,
    schedule: Schedule,
) -> State:
    """A run before its first step.

    Args:
        key: of the run.
        content: what is trained on.
        init_params: weights to begin with; None for fresh ones.
        pace: of the schedule; traced.
        network: static.
        schedule: its static part.
    """
    if schedule.weight_decay and networks.has_fixed_weights(network):
        raise errors.refuse(
            "weight_decay", schedule.weight_decay, "0: not all weights of this network are learnt"
        )
    init_key, data_key = jax.random.split(key)
    if init_params is None:
        one = jax.eval_shape(lambda k: content.sample(k, 1), init_key)
        init_params = networks.init(network, init_key, one.shape[1:-1], one.shape[-1])
    return State(
        init_params,
        optax.scale_by_adam().init(init_params),
        data_key,
        jnp.int32(0),
        jnp.bool_(False),
        jnp.asarray(pace),
    )


def advance(
    state: State,
    content: Content,
    degradation: Degradation,
    steps: Int[Array, ""],
    network: Network,
    schedule: Schedule,
) -> tuple[State, Float[Array, ""]]:
    """The run after `steps` more steps, each on fresh samples; and the mean loss of these steps."""

    def step(_: Any, before: tuple[State, Array]) -> tuple[State, Array]:
        state, total = before
        step_key = jax.random.fold_in(state.key, state.step)
        clean, degraded = draw_pair(step_key, content, degradation, schedule.batch)
        if clean.shape != degraded.shape:
            raise errors.refuse(
                "degradation", degraded.shape, f"shape {clean.shape}, the content's"
            )

        def gradient_at(params: Params) -> tuple[Array, Params]:
            own = jax.random.fold_in(step_key, 2)  # 0 and 1 are what `draw_pair` splits it into
            return loss_and_gradient(params, clean, degraded, network, schedule.loss, own)

        loss, gradient = gradient_at(state.params)
        if schedule.sharpness:
            _, gradient = gradient_at(_uphill(state.params, gradient, schedule.sharpness))
        sound = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(gradient)) & ~state.diverged
        # A diverged run is frozen, so that a thousand others can go on beside it. What goes into
        # Adam and what comes out is masked: a choice between old and new state costs a tenth more.
        update, moments = _adam(_where(sound, gradient), state, schedule.weight_decay)
        params = optax.apply_updates(state.params, _where(sound, update))
        moved = networks.post_step(network, params, degraded)
        if moved is not params:
            params = jax.tree.map(lambda new, old: jnp.where(sound, new, old), moved, params)
        after = dataclasses.replace(
            state, params=params, moments=moments, step=state.step + 1, diverged=~sound
        )
        return after, total + loss

    state, total = jax.lax.fori_loop(0, steps, step, (state, jnp.float32(0)))
    return state, total / jnp.maximum(steps, 1)


def train(
    key: PRNGKeyArray,
    content: Content,
    degradation: Degradation,
    network: Network,
    schedule: Schedule,
) -> Trained:
    """The whole run: train `network` to take `degradation` off `content`.

    Pure and traceable: `jax.vmap(train, in_axes=(0, 0, 0, None, None))` trains a grid over stacked
    keys and families (see `family.stack`). `grid.train` does the same with progress and devices,
    and takes families that share pictures.
    """
    state, history = jax.lax.scan(
        lambda state, steps: advance(state, content, degradation, steps, network, schedule),
        start(key, content, None, schedule.pace(), network, schedule),
        jnp.diff(jnp.array(schedule.parts())),
    )
    return Trained(state.params, history, state.diverged)


def _adam(gradient: Params, state: State, weight_decay: float) -> tuple[Params, Any]:
    """The step of `optax.adamw` under a cosine decay whose rate and length are traced."""
    update, moments = optax.scale_by_adam().update(gradient, state.moments)
    if weight_decay:
        update = jax.tree.map(lambda u, weight: u + weight_decay * weight, update, state.params)
    rate = state.pace[0] * (1 + jnp.cos(state.pace[1] * state.step))
    return jax.tree.map(lambda part: -rate * part, update), moments


def _uphill(params: Params, slope: Params, radius: float) -> Params:
    """The weights moved by `radius` along the slope, to where the loss is about worst."""
    length = optax.tree.norm(slope)
    reach = radius / jnp.where(length > 0, length, 1.0)
    return jax.tree.map(lambda weight, along: weight + reach * along, params, slope)


def _where(sound: Bool[Array, ""], tree: Any) -> Any:
    """`tree` if `sound`, else zeros."""
    return jax.tree.map(lambda leaf: jnp.where(sound, leaf, 0), tree)
