"""One training run as a pure function of a key, so that vmap, scan and sharding compose over it.

A run goes in parts. Between two of them the caller may look at the clock, draw a progress bar,
test the network or save; inside one there is only arithmetic. How long a part is, is traced: one
compiled program serves them all.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from shortcut1d import errors, networks
from shortcut1d.data.family import Content, Degradation, draw_pair
from shortcut1d.data.pytrees import pytree
from shortcut1d.networks import Network, Params
from shortcut1d.training.gradient import LOSSES, loss_and_gradient

LARGE = 1e6  # rates beyond this are slips of the pen


@dataclass(frozen=True)
class Schedule:
    """How long and how a network is trained.

    steps: Adam steps over which the learning rate decays. batch: fresh samples a step.
    learning_rate: at the start; it decays to 0 on a cosine. loss: "mse" or "l1".
    stops: steps after which the network is tested, in rising order (0: untrained). Training ends
    at the last, which may come before the decay does: early stopping. Empty: at the end only.
    weight_decay: decoupled (AdamW, Loshchilov and Hutter 2019). sharpness: radius of
    sharpness-aware minimisation (Foret et al. 2021), two gradients a step; 0 for none.
    Static: another schedule is another compilation.
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
        errors.integer("steps", self.steps)
        errors.integer("batch", self.batch)
        errors.number("learning_rate", self.learning_rate, above=0, high=LARGE)
        errors.choice("loss", self.loss, LOSSES)
        for stop in self.checkpoints:
            errors.integer("stops", stop, low=0, high=self.steps)
        if list(self.checkpoints) != sorted(set(self.checkpoints)):
            raise errors.refuse("stops", self.checkpoints, "steps in rising order")
        errors.number("weight_decay", self.weight_decay, low=0, high=LARGE)
        errors.number("sharpness", self.sharpness, low=0, high=LARGE)

    def optimiser(self) -> optax.GradientTransformation:
        """Adam under a cosine decay."""
        rate = optax.cosine_decay_schedule(self.learning_rate, self.steps)
        if self.weight_decay:
            return optax.adamw(rate, weight_decay=self.weight_decay)
        return optax.adam(rate)

    def checkpoint_steps(self) -> tuple[int, ...]:
        """Steps after which the network is tested."""
        return self.checkpoints or (self.steps,)

    def parts(self) -> tuple[int, ...]:
        """Steps after which the caller gets a look in: tenths of the run, and all tests."""
        last = self.checkpoint_steps()[-1]
        return tuple(
            sorted({last * tenth // 10 for tenth in range(11)} | set(self.checkpoint_steps()))
        )


@pytree
class State:
    """A run between two parts."""

    params: Params
    moments: Any
    key: PRNGKeyArray
    step: Int[Array, "..."]
    diverged: Bool[Array, "..."]


class Trained(NamedTuple):
    """What a run leaves.

    params: weights. history: mean loss of each part so far. diverged: the loss, or its gradient,
    stopped being finite; the weights are then the last finite ones.
    """

    params: Params
    history: Float[Array, "*cells parts"]
    diverged: Bool[Array, "*cells"]


def start(
    key: PRNGKeyArray,
    content: Content,
    init_params: Params | None,
    network: Network,
    schedule: Schedule,
) -> State:
    """A run before its first step, at the weights `begin`, or at fresh ones where that is None."""
    if schedule.weight_decay and networks.has_fixed_weights(network):
        raise errors.refuse(
            "weight_decay", schedule.weight_decay, "0: not all weights of this network are learnt"
        )
    init_key, data_key = jax.random.split(key)
    params = init_params
    if params is None:
        one = jax.eval_shape(lambda k: content.sample(k, 1), init_key)
        params = networks.init(network, init_key, one.shape[1:-1], one.shape[-1])
    moments = schedule.optimiser().init(params)
    return State(params, moments, data_key, jnp.int32(0), jnp.bool_(False))


def advance(
    state: State,
    content: Content,
    degradation: Degradation,
    steps: Int[Array, ""],
    network: Network,
    schedule: Schedule,
) -> tuple[State, Float[Array, ""]]:
    """So many more steps of the run, on fresh samples at each; and their mean loss."""
    optimiser = schedule.optimiser()

    def step(_: Any, before: tuple[State, Array]) -> tuple[State, Array]:
        state, total = before
        step_key = jax.random.fold_in(state.key, state.step)
        clean, degraded = draw_pair(step_key, content, degradation, schedule.batch)
        if clean.shape != degraded.shape:
            raise errors.refuse(
                "degradation", degraded.shape, f"shape {clean.shape}, the content's"
            )

        def slope_at(params: Params) -> tuple[Array, Params]:
            own = jax.random.fold_in(step_key, 2)  # 0 and 1 are what `draw_pair` splits it into
            return loss_and_gradient(params, clean, degraded, network, schedule.loss, own)

        loss, slope = slope_at(state.params)
        if schedule.sharpness:
            _, slope = slope_at(_uphill(state.params, slope, schedule.sharpness))
        sound = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(slope)) & ~state.diverged
        # A diverged run is frozen, so that a thousand others can go on beside it. What goes into
        # Adam and what comes out is masked: a choice between old and new state costs a tenth more.
        slope = _where(sound, slope)
        update, moments = optimiser.update(slope, state.moments, state.params)
        params = optax.apply_updates(state.params, _where(sound, update))
        moved = networks.post_step(network, params, degraded)
        if moved is not params:
            params = jax.tree.map(lambda new, old: jnp.where(sound, new, old), moved, params)
        return State(params, moments, state.key, state.step + 1, ~sound), total + loss

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
    keys and families (see `family.stack`). `grid.train` does the same with progress and devices.
    """
    state, history = jax.lax.scan(
        lambda state, steps: advance(state, content, degradation, steps, network, schedule),
        start(key, content, None, network, schedule),
        jnp.diff(jnp.array(schedule.parts())),
    )
    return Trained(state.params, history, state.diverged)


def _uphill(params: Params, slope: Params, radius: float) -> Params:
    """The weights moved by `radius` along the slope, to where the loss is about worst."""
    length = optax.tree.norm(slope)
    reach = radius / jnp.where(length > 0, length, 1.0)
    return jax.tree.map(lambda weight, along: weight + reach * along, params, slope)


def _where(sound: Bool[Array, ""], tree: Any) -> Any:
    """`tree`, or zeros."""
    return jax.tree.map(lambda leaf: jnp.where(sound, leaf, 0), tree)
