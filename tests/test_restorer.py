"""Somebody's own generative prior: tuned to a degradation, and nothing of theirs changed."""

import contextlib
import dataclasses
import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from shortcut1d import Restorer, diagnose, from_torch, networks
from shortcut1d.data import composition, degradations, signals
from shortcut1d.data.family import Additive, draw_pair
from shortcut1d.errors import InvalidInput
from shortcut1d.networks.layers import Batch

LENGTH, LATENTS, HIDDEN = 32, 4, 64
# PyTorch says so of its own code, at the first derivative of a process.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*")
CONTENT = signals.band(high=2, low=1, length=LENGTH)  # the span of BASIS
CLICKS, HISS = degradations.clicks(length=LENGTH), degradations.hiss(length=LENGTH)
TIME = 2 * np.pi * np.arange(LENGTH) / LENGTH
WAVES = [f(k * TIME) for k in (1, 2) for f in (np.cos, np.sin)]
BASIS = np.array(WAVES / np.sqrt(LENGTH / 2), np.float32)
FEATURES = np.random.default_rng(0).normal(size=(LENGTH, HIDDEN)).astype(np.float32) / 4
NOTHING = np.zeros((HIDDEN, LATENTS), np.float32)
TORCH = pytest.param("torch", marks=pytest.mark.slow)
FRAMEWORKS = ["nnx", "equinox", TORCH]
STEPS = {"steps": 300, "learning_rate": 1e-2}


def of_nnx():
    class Encoder(nnx.Module):
        def __init__(self):
            self.weights = nnx.List([nnx.Param(jnp.array(w)) for w in (BASIS.T, FEATURES, NOTHING)])

        def __call__(self, x):
            linear, features, last = (weight[...] for weight in self.weights)
            return x[..., 0] @ linear + nnx.relu(x[..., 0] @ features) @ last

    class Decoder(nnx.Module):
        def __init__(self):
            self.basis = nnx.Param(jnp.array(BASIS))

        def __call__(self, latent):
            return (latent @ self.basis[...])[..., None]

    return Encoder(), Decoder()


def of_equinox():
    eqx = pytest.importorskip("equinox")

    class Encoder(eqx.Module):
        linear: jax.Array
        features: jax.Array
        last: jax.Array

        def __call__(self, x):
            return x[..., 0] @ self.linear + jax.nn.relu(x[..., 0] @ self.features) @ self.last

    class Decoder(eqx.Module):
        basis: jax.Array

        def __call__(self, latent):
            return (latent @ self.basis)[..., None]

    return Encoder(*map(jnp.array, (BASIS.T, FEATURES, NOTHING))), Decoder(jnp.array(BASIS))


def of_torch():
    torch = pytest.importorskip("torch")

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.features, self.last = (
                torch.nn.Parameter(torch.tensor(w)) for w in (BASIS.T, FEATURES, NOTHING)
            )
            self.last.requires_grad_(False)  # tuned all the same

        def forward(self, x):
            return x[:, 0] @ self.linear + torch.relu(x[:, 0] @ self.features) @ self.last

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.basis = torch.nn.Parameter(torch.tensor(BASIS))

        def forward(self, latent):
            return (latent @ self.basis)[:, None]

    return Encoder(), Decoder()


PRIORS = {"nnx": of_nnx, "equinox": of_equinox, "torch": of_torch}


def weights_of(*parts):
    """Copies of all the floats in a prior."""
    found = []
    for part in parts:
        if hasattr(part, "state_dict"):
            found += [tensor.numpy(force=True).copy() for tensor in part.state_dict().values()]
        else:
            leaves = jax.tree.leaves(part)
            found += [np.array(x) for x in leaves if jnp.issubdtype(x.dtype, jnp.floating)]
    return found


@contextlib.contextmanager
def one_thread():
    """PyTorch on one thread: two workers share two cores."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def few_threads():
    with one_thread():
        yield


@functools.cache
def tuned(framework):
    """A prior, its restorer, the tuned one, and the prior's weights before that."""
    prior = PRIORS[framework]()
    before = weights_of(*prior)
    restorer = Restorer(prior=prior)
    with one_thread():
        return prior, restorer, restorer.tuned(CONTENT, CLICKS, **STEPS), before


def samples(degradation=CLICKS):
    pair = draw_pair(jax.random.key(9), CONTENT, degradation, 256)
    return tuple(np.array(part) for part in pair)


def error(denoiser, degradation=CLICKS):
    clean, degraded = samples(degradation)
    return np.mean((denoiser(degraded) - clean) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_tuning_lowers_the_error_and_keeps_to_the_decoders_range(framework):
    _, restorer, better, _ = tuned(framework)
    assert error(better) < 0.7 * error(restorer)
    output = better(samples()[1])
    assert isinstance(output, np.ndarray)
    assert output.shape == samples()[1].shape
    assert np.linalg.matrix_rank(output[..., 0], tol=1e-3) == LATENTS
    outside = output[..., 0] - output[..., 0] @ BASIS.T @ BASIS
    assert np.abs(outside).max() < 1e-5


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_the_user_gave_stays_bit_for_bit(framework):
    prior, restorer, better, before = tuned(framework)
    ours = weights_of(restorer.encoder, restorer.decoder)
    for found in (weights_of(*prior), ours):
        assert all(np.array_equal(was, now) for was, now in zip(before, found, strict=True))
    after = weights_of(better.encoder)
    assert not any(np.array_equal(was, now) for was, now in zip(before, after))
    assert np.array_equal(weights_of(better.decoder)[0], BASIS)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_same_seed_same_result_bit_for_bit(framework):
    few = {"steps": 5, "batch": 4}
    restorer = Restorer(prior=PRIORS[framework]())
    first, again = (restorer.tuned(CONTENT, CLICKS, seed=1, **few) for _ in range(2))
    other = restorer.tuned(CONTENT, CLICKS, seed=2, **few)
    y = samples()[1]
    assert np.array_equal(first(y), again(y))
    assert not np.array_equal(first(y), other(y))


@pytest.mark.parametrize("framework", ["equinox", TORCH])
def test_frameworks_agree(framework):
    ours, theirs = (Restorer(prior=PRIORS[name]()) for name in ("nnx", framework))
    few, y = {"steps": 20, "batch": 8}, samples()[1]
    expected = ours.tuned(CONTENT, HISS, **few)(y)
    np.testing.assert_allclose(theirs.tuned(CONTENT, HISS, **few)(y), expected, atol=1e-4)


@pytest.mark.slow
def test_a_linear_encoder_under_white_noise_becomes_the_wiener_filter():
    linear = jax.tree_util.Partial(lambda w, x: x[..., 0] @ w, jnp.array(BASIS.T))
    restorer = Restorer(prior=(linear, lambda latent: (latent @ BASIS)[..., None]))
    better = restorer.tuned(CONTENT, HISS, steps=2000, batch=64, learning_rate=3e-3)
    clean, degraded = samples(HISS)
    signal, noise = LENGTH / LATENTS, np.mean((degraded - clean) ** 2)
    wanted = signal / (signal + noise)
    gains = np.diag(BASIS @ np.asarray(weights_of(better.encoder)[0]))
    np.testing.assert_allclose(gains, wanted, rtol=0.02)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_ceiling_of_a_projector(framework):
    _, restorer, better, _ = tuned(framework)
    clean = samples()[0]
    assert restorer.ceiling(clean) > 100
    # As much energy again where the decoder cannot reach.
    outside = np.sqrt(2) * np.cos(5 * TIME)[None, :, None] * np.sqrt(np.mean(clean**2))
    half = (clean + outside).astype(np.float32)
    for one in (restorer, better):  # the prior's, also after tuning
        assert one.ceiling(half) == pytest.approx(10 * np.log10(2), abs=1e-3)
        psnr = 10 * np.log10(4 / np.mean(outside**2))
        assert one.ceiling(half, peak=2) == pytest.approx(psnr, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "framework", ["nnx", pytest.param("equinox", marks=pytest.mark.slow), TORCH]
)
def test_diagnose_takes_it_with_exact_derivatives(framework):
    _, _, better, _ = tuned(framework)
    report = diagnose(better, CONTENT, CLICKS, samples=8, portraits=0)
    assert report.verdict
    assert not [note for note in report.notes if "difference" in note or "random" in note]


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_second_tuning_begins_where_the_first_ended_and_has_the_priors_latents_to_find(framework):
    _, _, better, _ = tuned(framework)
    clean, y = samples()
    one_step = better.tuned(CONTENT, CLICKS, steps=1, learning_rate=1e-6)
    np.testing.assert_allclose(one_step(y), better(y), atol=1e-3)
    back = better.tuned(CONTENT, composition.nothing(LENGTH, 1), **STEPS)
    assert np.mean((back(clean) - clean) ** 2) < 0.3 * np.mean((better(clean) - clean) ** 2)


@pytest.mark.parametrize("framework", ["nnx", TORCH])
def test_it_is_the_evaluation_mode_of_a_copy(framework):
    if framework == "torch":
        torch = pytest.importorskip("torch")
        encoder = torch.nn.Sequential(
            torch.nn.Conv1d(1, 4, 3, padding=1), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5)
        )
        prior = encoder, torch.nn.Conv1d(4, 1, 1)
        prior[1].weight.requires_grad_(False)
    else:
        rngs = nnx.Rngs(0)
        prior = (
            nnx.Sequential(nnx.Conv(1, 4, 3, rngs=rngs), nnx.BatchNorm(4, rngs=rngs),
                           nnx.Dropout(0.5, rngs=rngs)),
            nnx.Conv(4, 1, 1, rngs=rngs),
        )  # fmt: skip
    before = weights_of(*prior)
    better = Restorer(prior=prior).tuned(CONTENT, CLICKS, steps=2)
    y = samples()[1]
    output = better(y)
    assert np.array_equal(better(y), output)
    np.testing.assert_allclose(better(y[:1]), output[:1], atol=1e-6)
    assert all(np.array_equal(was, now) for was, now in zip(before, weights_of(*prior)))
    if framework == "torch":
        assert all(part.training for part in prior[0].modules())
        flags = [weight.requires_grad for part in prior for weight in part.parameters()]
        assert flags == [True, True, True, True, False, True]
        assert not any(weight.grad is not None for weight in prior[0].parameters())
        prior[0][0].weight.data.zero_()
    else:
        assert not prior[0].layers[1].use_running_average
        assert not prior[0].layers[2].deterministic
        prior[0].layers[0].kernel[...] = 0.0
    assert np.array_equal(better(y), output)  # whatever becomes of what was given


@pytest.mark.slow
def test_our_own_autoencoder():
    network = networks.make("autoencoder", width=4, levels=2, books=1, entries=8, dims=2)
    y = samples()[1]
    params = networks.init(network, jax.random.key(0), (LENGTH,), 1)
    module = networks.build(network, params, jnp.array(y))
    restorer = Restorer(prior=(module.encoder, lambda z: module.decoder(module.discrete(z))))
    np.testing.assert_allclose(
        restorer(y), networks.denoiser(network, params)(jnp.array(y)), atol=1e-5
    )
    better = restorer.tuned(CONTENT, CLICKS, steps=2, learning_rate=0.1)
    assert not np.array_equal(better(y), restorer(y))


@pytest.mark.slow
def test_a_trained_autoencoder_of_pytorch():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    encoder = nn.Sequential(
        nn.Conv1d(1, 16, 8, 4, 2), nn.BatchNorm1d(16), nn.ReLU(), nn.Conv1d(16, 4, 3, padding=1)
    )
    decoder = nn.Sequential(
        nn.Conv1d(4, 16, 3, padding=1), nn.ReLU(), nn.ConvTranspose1d(16, 1, 8, 4, 2)
    )
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-2)
    key = jax.random.key(3)
    with one_thread():
        for step in range(300):
            clean = np.moveaxis(CONTENT.sample(jax.random.fold_in(key, step), 32), -1, 1)
            clean = torch.tensor(np.array(clean))
            optimiser.zero_grad()
            ((decoder(encoder(clean)) - clean) ** 2).mean().backward()
            optimiser.step()
        before = weights_of(encoder, decoder)
        restorer = Restorer(prior=(encoder, decoder))
        told = []
        better = restorer.tuned(
            CONTENT, CLICKS, steps=300, progress=lambda done, total: told.append((done, total))
        )
    assert told[0] == (1, 300)
    assert told[-1] == (300, 300)
    assert restorer.ceiling(samples()[0]) == better.ceiling(samples()[0]) > 10
    assert error(better) < 0.8 * error(restorer)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights_of(encoder, decoder)))
    whole = from_torch(torch.nn.Sequential(better.encoder, better.decoder).eval())
    y = samples()[1][:4]
    assert np.array_equal(better(y), whole(y))
    np.testing.assert_allclose(better.products(y)[0](y), whole.products(y)[0](y))


@dataclasses.dataclass(frozen=True)
class Foreign(Additive):
    """Somebody's own degradation, which is no pytree."""

    value: float

    def sample(self, key, n: int) -> Batch:
        return jnp.full((n, LENGTH, 1), self.value)


def test_families_of_somebody_else_are_taken():
    y = samples()[1]
    restorer = tuned("nnx")[1]
    assert not np.array_equal(restorer.tuned(CONTENT, Foreign(1.0), steps=2)(y), restorer(y))


ENCODER, DECODER = (lambda: of_nnx()[0]), (lambda: of_nnx()[1])


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (lambda: DECODER(), r"prior: got .*, expected a pair \(encoder, decoder\)"),
        (lambda: (ENCODER(),), r"prior: got .*, expected a pair \(encoder, decoder\)"),
        (lambda: (ENCODER(), 3), "decoder of the prior: got 3, expected a PyTorch module or a JAX"),
        (lambda: (lambda x: x, DECODER()), "encoder of the prior: got 'function', .*nnx.Module"),
    ],
)
def test_what_is_no_prior_is_refused(prior, message):
    with pytest.raises(InvalidInput, match=message):
        Restorer(prior=prior())


@pytest.mark.slow
def test_one_part_of_each_framework_is_refused():
    with pytest.raises(InvalidInput, match=r"decoder.*: got 'Decoder', expected a PyTorch module"):
        Restorer(prior=(of_torch()[0], DECODER()))
    with pytest.raises(InvalidInput, match=r"decoder.*: got 'Decoder', expected a JAX callable"):
        Restorer(prior=(ENCODER(), of_torch()[1]))
    torch = pytest.importorskip("torch")
    with pytest.raises(InvalidInput, match=r"encoder.*expected a module with parameters"):
        Restorer(prior=(torch.nn.Identity(), torch.nn.Identity()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps: got 0"),
        ({"batch": 0}, "batch: got 0"),
        ({"learning_rate": 0}, "learning_rate: got 0"),
        ({"seed": -1}, "seed: got -1"),
        (
            {"content": np.zeros((8, LENGTH, 1))},
            "content: got 'ndarray', expected a content family",
        ),
        ({"degradation": CONTENT}, "degradation: got 'Band', expected a degradation family"),
        ({"degradation": Foreign}, "degradation: got 'Foreign'"),
        ({"degradation": Foreign(np.nan)}, "degradation: got 'NaN or infinity'"),
    ],
)
def test_what_cannot_be_tuned_on_is_refused(changes, message):
    given = {"content": CONTENT, "degradation": CLICKS, "steps": 3} | changes
    with pytest.raises(InvalidInput, match=message):
        tuned("nnx")[1].tuned(given.pop("content"), given.pop("degradation"), **given)


@pytest.mark.slow
def test_samples_and_latents_that_cannot_be_used_are_refused():
    restorer = tuned("nnx")[1]
    bad = np.full((2, LENGTH, 1), np.nan, np.float32)
    with pytest.raises(InvalidInput, match="x, sample 0: got 'NaN or infinity'"):
        restorer(bad)
    with pytest.raises(InvalidInput, match="clean, sample 0: got 'NaN or infinity'"):
        restorer.ceiling(bad)
    pair = jax.tree_util.Partial(lambda w, x: (x * w, x), jnp.ones(()))
    with pytest.raises(
        InvalidInput, match="output of the encoder: got 'tuple', expected one array"
    ):
        Restorer(prior=(pair, lambda z: z))(samples()[1])
    steep = jax.tree_util.Partial(lambda w, x: jnp.exp(w * x), jnp.ones(()))
    with pytest.raises(InvalidInput, match=r"learning_rate: got 1000000.0, .* after 1 steps"):
        Restorer(prior=(steep, lambda z: z)).tuned(CONTENT, CLICKS, steps=9, learning_rate=1e6)
    with pytest.raises(InvalidInput, match=r"clean, samples 0 to 1.*, expected shape"):
        Restorer(prior=(of_nnx()[0], lambda z: z)).ceiling(samples()[0][:2])
    broken = jax.tree_util.Partial(lambda w, x: x * w, jnp.array(jnp.nan))
    with pytest.raises(InvalidInput, match="prior: got 'NaN or infinity'"):
        Restorer(prior=(broken, lambda z: z)).tuned(CONTENT, CLICKS, steps=1)


def test_pytorch_is_imported_only_where_it_is_used():
    code = "import sys; from shortcut1d import Restorer; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
