"""The Jacobian portrait and its products, on denoisers whose Jacobian is known."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d.analysis import alignment, jacobian, oracles, portrait, products_of
from shortcut1d.analysis.products import jvp_at
from shortcut1d.errors import InvalidInput

KEY = jax.random.key(0)
SHAPES = ((64, 1), (8, 8, 1))  # 64: larger decompositions go to threads, slow on a busy machine
SEEDS = st.integers(0, 2**16)
PROBES = 256


def orthonormal(seed, size, rank):
    drawn = np.random.default_rng(seed).normal(size=(size, rank))
    return np.linalg.qr(drawn)[0].astype(np.float32)


def drawn(shape, batch=3, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, *shape)).astype(np.float32)


def linear(matrix):
    """The denoiser with this Jacobian; several make one whose samples each have their own."""

    def denoiser(x):
        return (matrix @ x.reshape(len(x), -1, 1)).reshape(x.shape)

    return denoiser


def unchanged(x):  # `oracles.identity` on NumPy arrays
    return x


def smooth(x):
    return jnp.tanh(1.5 * x) * jnp.roll(x, 1, axis=1) + 0.3 * x


def smooth_in_numpy(x):
    return np.tanh(1.5 * x) * np.roll(x, 1, axis=1) + 0.3 * x


class Brought:
    """A denoiser that JAX cannot trace, with exact products of its own."""

    def __init__(self, matrix):
        self.matrix, self.calls = matrix, 0

    def __call__(self, inputs):
        return np.asarray(linear(self.matrix)(np.asarray(inputs)))

    def products(self, inputs):
        def product(matrix):
            def of(v):
                self.calls += 1
                return linear(matrix)(np.asarray(v))

            return of

        return product(self.matrix), product(self.matrix.T)


# ---------------------------------------------------------------- products


def test_a_jax_function_has_exact_products_and_a_numpy_one_differences():
    inputs = drawn((16, 1))
    exact, near = products_of(smooth, inputs), products_of(smooth_in_numpy, inputs)
    assert exact.traceable
    assert exact.vjp is not None
    assert not near.traceable
    assert near.vjp is None
    assert products_of(smooth, inputs, "differences").vjp is None
    # A vector of many values: step^2 / 6 times the third derivative, and rounding / step.
    v = drawn((16, 1), seed=1)
    np.testing.assert_allclose(near.jvp(v), exact.jvp(v), atol=2e-3)


@given(SEEDS)
def test_pull_is_the_transpose_of_push(seed):
    u, v = drawn((16, 1), seed=seed), drawn((16, 1), seed=seed + 1)
    products = products_of(smooth, drawn((16, 1)))
    pushed, pulled = products.jvp(v), products.vjp(u)
    np.testing.assert_allclose(
        np.sum(u * pushed, axis=(1, 2)), np.sum(pulled * v, axis=(1, 2)), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("loudness", [1e-4, 1e4])
def test_differences_step_by_the_loudness_of_their_inputs(loudness):
    def bent(x):
        return loudness * np.sin(x / loudness)

    inputs, v = loudness * drawn((16, 1)), drawn((16, 1), seed=1)
    np.testing.assert_allclose(
        products_of(bent, inputs).jvp(v), np.cos(inputs / loudness) * v, atol=2e-3
    )


def test_products_of_many_directions_are_those_of_each():
    many = np.stack([drawn((16, 1), seed=seed) for seed in range(4)])
    products = products_of(smooth, drawn((16, 1)))
    for together, one in (
        (products.jvp_all, products.jvp),
        (products.vjp_all, products.vjp),
    ):
        np.testing.assert_allclose(together(many), [one(v) for v in many], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("denoiser", [smooth, smooth_in_numpy])
def test_products_as_a_function_of_the_inputs_are_those_at_the_inputs(denoiser):
    inputs = drawn((3, 16, 1))
    many = np.stack([drawn((3, 16, 1), seed=seed) for seed in range(1, 4)])
    np.testing.assert_allclose(
        jvp_at(denoiser, inputs[:1])(inputs, many),
        products_of(denoiser, inputs).jvp_all(many),
        rtol=1e-4,
        atol=1e-6,
    )


def test_a_denoisers_own_products_are_used_unless_differences_are_asked_for():
    inputs, v = drawn((16, 1)), drawn((16, 1), seed=1)
    own = Brought(np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32))
    for method in ("auto", "jvp"):
        before = own.calls
        products = products_of(own, inputs, method)
        np.testing.assert_allclose(products.jvp(v), linear(own.matrix)(v), rtol=1e-5)
        np.testing.assert_allclose(products.vjp(v), linear(own.matrix.T)(v), rtol=1e-5)
        assert own.calls == before + 2
        assert not products.traceable
    before = own.calls
    differenced = products_of(own, inputs, "differences")
    assert differenced.vjp is None
    np.testing.assert_allclose(differenced.jvp(v), linear(own.matrix)(v), rtol=0.01, atol=0.01)
    assert own.calls == before


def test_an_unknown_method_is_refused_with_a_suggestion():
    with pytest.raises(InvalidInput, match=r"method: got 'jpv'.*did you mean 'jvp'"):
        products_of(smooth, drawn((16, 1)), "jpv")


@pytest.mark.parametrize("step", [0.0, -1e-3, math.nan])
def test_a_step_that_is_not_positive_is_refused(step):
    with pytest.raises(InvalidInput, match="step"):
        products_of(smooth, drawn((16, 1)), "differences", step)


# ---------------------------------------------------------------- whole Jacobians


@pytest.mark.parametrize("shape", [(16, 1), (4, 5, 2)])
def test_the_jacobian_of_a_linear_denoiser_is_its_matrix(shape):
    size = math.prod(shape)
    matrix = np.random.default_rng(1).normal(size=(size, size)).astype(np.float32)
    for found in jacobian(linear(matrix), drawn(shape)):
        np.testing.assert_allclose(found, matrix, rtol=1e-5, atol=1e-5)


def test_rows_of_the_jacobian_are_outputs_and_columns_are_inputs():
    found = jacobian(lambda x: jnp.roll(x, 1, axis=1), drawn((16, 1), batch=1))[0]
    np.testing.assert_allclose(found, np.roll(np.eye(16), 1, axis=0))  # out_i = in_(i - 1)


def test_the_jacobian_is_taken_at_each_input_by_itself():
    inputs = drawn((16, 1))
    together = jacobian(smooth, inputs)
    for alone, found in zip(inputs, together):
        np.testing.assert_allclose(jacobian(smooth, alone[None])[0], found, atol=1e-6)
    assert float(jnp.max(jnp.abs(together[0] - together[1]))) > 0.1


@pytest.mark.parametrize("shape", [(32, 1), (6, 5, 1)])
def test_differences_of_a_numpy_function_give_the_jacobian_of_exact_products(shape):
    inputs = drawn(shape)
    exact = jacobian(smooth, inputs)
    # The step is 1e-3 RMS over all 32 values, 6e-3 on one: h^2 / 6 f''' is about 1e-4.
    np.testing.assert_allclose(jacobian(smooth_in_numpy, inputs), exact, atol=1e-3)


def test_too_large_a_sample_has_no_whole_jacobian():
    inputs = drawn((1025, 1), batch=1)
    with pytest.raises(InvalidInput, match="at most 1024 values"):
        jacobian(unchanged, inputs)
    with pytest.raises(InvalidInput, match="at most 1024 values"):
        portrait(unchanged, inputs, KEY, whole=True)


# ---------------------------------------------------------------- oracles in the portrait

SIZE = 64
P_C, P_D = np.split(orthonormal(0, SIZE, 18), [8], axis=1)  # ranks 8 and 10, orthogonal
RANDOM = orthonormal(7, SIZE, 10)
SUBSPACES = {"content": P_C, "but degradation": oracles.complement(P_D), "random": RANDOM}


@jax.jit
def of_matrix(matrix, inputs):
    """One program for all linear denoisers of windows."""
    return portrait(linear(matrix), inputs, KEY, SUBSPACES)


INPUTS = drawn((SIZE, 1), batch=2)
PROJECTOR, SUBTRACTOR = P_C @ P_C.T, np.eye(SIZE, dtype=np.float32) - P_D @ P_D.T


def test_a_projector_reads_as_its_subspace():
    seen = of_matrix(PROJECTOR, INPUTS)
    np.testing.assert_allclose(seen.aligned["content"], 1, atol=1e-4)
    np.testing.assert_allclose(seen.passed["content"], 1, atol=1e-4)
    np.testing.assert_allclose(seen.values, 1, atol=1e-4)
    np.testing.assert_allclose(seen.trace, 8, rtol=1e-4)
    np.testing.assert_allclose(seen.dimensions, 8, rtol=1e-4)
    np.testing.assert_allclose(seen.symmetry, 1, atol=1e-4)
    for patterns in (seen.right_vectors, seen.left_vectors):
        within = patterns.reshape(-1, SIZE) @ P_C
        np.testing.assert_allclose(jnp.sum(within**2, axis=1), 1, atol=1e-4)


def test_a_subtractor_reads_as_all_but_the_degradation():
    seen = of_matrix(SUBTRACTOR, INPUTS)
    np.testing.assert_allclose(seen.aligned["but degradation"], 1, atol=1e-4)
    np.testing.assert_allclose(seen.passed["but degradation"], 1, atol=1e-4)
    np.testing.assert_allclose(seen.passed["content"], 1, atol=1e-4)  # all of it is kept
    np.testing.assert_allclose(seen.trace, SIZE - 10, rtol=1e-4)
    blocked = portrait(linear(SUBTRACTOR), INPUTS, KEY, {"degradation": P_D}).blocked
    np.testing.assert_allclose(blocked["degradation"], 1, atol=1e-4)
    assert float(jnp.max(seen.aligned["content"])) < 0.25  # yet it is not what J is about


@pytest.mark.parametrize("gain", [1.0, 0.0, 0.3])
def test_identity_and_zero_are_aligned_with_nothing(gain):
    seen = of_matrix(gain * np.eye(SIZE, dtype=np.float32), INPUTS)
    for name in SUBSPACES:
        np.testing.assert_allclose(seen.aligned[name], 0, atol=1e-4)
        np.testing.assert_allclose(seen.passed[name], gain, atol=1e-4)
    np.testing.assert_allclose(seen.symmetry, float(gain > 0), atol=1e-4)


def test_a_random_subspace_is_aligned_by_no_more_than_chance():
    # tr(P P') of two turned at random: variance 2 r r' (1 - r/n) (1 - r'/n) / n^2, over sqrt(r r').
    for matrix, rank in ((PROJECTOR, 8), (SUBTRACTOR, SIZE - 10)):
        spread = math.sqrt(2 * (1 - rank / SIZE) * (1 - 10 / SIZE)) / SIZE
        spread /= 1 - math.sqrt(rank * 10) / SIZE
        assert np.max(np.abs(of_matrix(matrix, INPUTS).aligned["random"])) < 4 * spread < 0.1


@given(st.floats(1e-3, 1e3))
def test_a_louder_jacobian_is_aligned_all_the_same(gain):
    both = np.stack([PROJECTOR, SUBTRACTOR])
    one, other = of_matrix(both, INPUTS), of_matrix(np.float32(gain) * both, INPUTS)
    for name in SUBSPACES:
        np.testing.assert_allclose(other.aligned[name], one.aligned[name], atol=1e-4)
        np.testing.assert_allclose(other.passed[name], gain * one.passed[name], rtol=1e-3)
    np.testing.assert_allclose(other.symmetry, one.symmetry, atol=1e-4)


@given(st.floats(0, 1))
def test_a_mixture_of_oracles_passes_a_known_share(alpha):
    matrix = np.float32(alpha) * PROJECTOR + np.float32(1 - alpha) * SUBTRACTOR
    seen = of_matrix(matrix, INPUTS)
    np.testing.assert_allclose(seen.passed["content"], 1, atol=1e-4)
    np.testing.assert_allclose(seen.trace, alpha * 8 + (1 - alpha) * (SIZE - 10), rtol=1e-4)
    # 1 on the content, 1 - alpha on what neither subspace holds, 0 on the degradation.
    np.testing.assert_allclose(seen.dimensions, 8 + 46 * (1 - alpha) ** 2, rtol=1e-3)


@given(seed=st.integers(0, 100), whole=st.sampled_from([0.0, 0.5, 1.0]))
def test_what_a_denoiser_blocks_is_what_the_rest_of_the_identity_passes(seed, whole):
    odd = np.random.default_rng(seed).normal(size=(SIZE, SIZE)).astype(np.float32) / SIZE
    matrix = whole * PROJECTOR + odd
    seen, rest = (of_matrix(m, INPUTS) for m in (matrix, np.eye(SIZE, dtype=np.float32) - matrix))
    for name in SUBSPACES:
        np.testing.assert_allclose(seen.blocked[name], rest.aligned[name], atol=1e-4)
        np.testing.assert_allclose(rest.blocked[name], seen.aligned[name], atol=1e-4)


def test_symmetry_tells_a_shift_and_a_rotation_from_a_symmetric_jacobian():
    shift = np.roll(np.eye(SIZE, dtype=np.float32), 1, axis=0)
    for matrix, symmetry in ((shift, 0), (shift - shift.T, -1), (shift + shift.T, 1)):
        np.testing.assert_allclose(of_matrix(matrix, INPUTS).symmetry, symmetry, atol=1e-4)


def test_the_alignment_function_gives_known_answers():
    def of(matrix, basis):
        inner = jnp.asarray([np.trace(basis.T @ matrix @ basis)])
        trace, energy = jnp.asarray([np.trace(matrix)]), jnp.asarray([np.sum(matrix**2)])
        return float(alignment(inner, trace, energy, SIZE, basis.shape[1])[0])

    assert of(PROJECTOR, P_C) == pytest.approx(1, abs=1e-5)
    assert of(PROJECTOR, P_D) < 0  # less of it than chance would have
    assert of(0 * PROJECTOR, P_C) == 0
    whole = np.eye(SIZE, dtype=np.float32)
    assert of(whole, whole) == pytest.approx(0, abs=1e-5)  # a subspace that is everything
    # On average over subspaces turned at random it is 0, whatever the Jacobian.
    odd = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32) + 0.5 * whole
    reads = np.asarray([of(odd, orthonormal(seed, SIZE, 10)) for seed in range(100)])
    assert abs(reads.mean()) < 4 * reads.std() / 10


# ---------------------------------------------------------------- whole and randomised

WEIGHTS = np.linspace(1, 0.2, 12, dtype=np.float32)  # 12 of the 16 that are drawn: exact


def matrices(shape):
    size = math.prod(shape)
    left, right = orthonormal(2, size, 12), orthonormal(3, size, 12)
    rolled = np.roll(np.eye(size).reshape(size, *shape), 1, axis=1).reshape(size, size).T
    return {
        "symmetric": left * WEIGHTS @ left.T,
        "asymmetric": left * WEIGHTS @ right.T,
        "roll": rolled.astype(np.float32),
    }


NAMES = ("symmetric", "asymmetric", "roll")


@functools.cache
def both_portraits(shape):
    """Whole and randomised, the three matrices one a sample."""
    size, three = math.prod(shape), np.stack([matrices(shape)[name] for name in NAMES])
    subspaces = {"one": orthonormal(2, size, 12), "other": orthonormal(4, size, 5)}
    return [
        portrait(linear(three), drawn(shape), KEY, subspaces, probes=PROBES, whole=whole)
        for whole in (True, False)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_whole_and_the_randomised_portrait_agree(shape, name):
    at = NAMES.index(name)
    whole, randomised = (jax.tree.map(lambda v: v[at], of) for of in both_portraits(shape))
    np.testing.assert_allclose(randomised.values, whole.values, atol=1e-4)
    # Hutchinson's variance with random signs is at most 2 |J|^2 a probe, of a J whose singular
    # values do not exceed 1; four standard errors.
    energy = float(whole.dimensions)
    slack = 4 * math.sqrt(2 * energy / PROBES)
    np.testing.assert_allclose(randomised.trace, whole.trace, atol=slack)
    np.testing.assert_allclose(randomised.dimensions, energy, atol=slack)
    share = 2 * slack / energy  # of a ratio of two such estimates
    np.testing.assert_allclose(randomised.symmetry, whole.symmetry, atol=share)
    for subspace, passed in whole.passed.items():
        np.testing.assert_allclose(randomised.passed[subspace], passed, atol=1e-4)  # no probes
        aligned = randomised.aligned[subspace], whole.aligned[subspace]
        np.testing.assert_allclose(*aligned, atol=share)
    if name != "roll":  # whose singular values are all one, its vectors any
        for one, other in (
            (whole.right_vectors, randomised.right_vectors),
            (whole.left_vectors, randomised.left_vectors),
        ):
            cosines = jnp.sum((one * other).reshape(len(one), -1), axis=-1)
            np.testing.assert_allclose(jnp.abs(cosines), 1, atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_values_trace_dimensions_and_symmetry_are_those_of_the_matrix(shape, name):
    matrix = matrices(shape)[name].astype(np.float64)
    whole = jax.tree.map(lambda v: v[NAMES.index(name)], both_portraits(shape)[0])
    energy = np.sum(matrix**2)
    np.testing.assert_allclose(whole.trace, np.trace(matrix), atol=1e-4)
    np.testing.assert_allclose(whole.dimensions, energy, rtol=1e-4)
    np.testing.assert_allclose(whole.symmetry, np.trace(matrix @ matrix) / energy, atol=1e-4)
    values = np.ones(8) if name == "roll" else WEIGHTS[:8]
    np.testing.assert_allclose(whole.values, values, atol=1e-4)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_shown_is_the_jacobian_of_what_is_kept(shape, whole):
    size = math.prod(shape)
    onto = oracles.projector(orthonormal(5, size, 14))  # 14 of the 16 that are drawn: exact

    def denoiser(x):  # another Jacobian at every input
        return onto(jnp.tanh(1.5 * x))

    inputs = drawn(shape)
    seen = portrait(denoiser, inputs, KEY, probes=8, whole=whole)
    assert seen.right_vectors.shape == seen.left_vectors.shape == (3, 8, *shape)
    assert np.all(np.diff(seen.values, axis=1) <= 1e-5)
    jvp = jax.linearize(denoiser, inputs)[1]
    for order in range(8):
        pushed = jvp(seen.right_vectors[:, order])
        value = seen.values[:, order].reshape(-1, *[1] * len(shape))
        np.testing.assert_allclose(seen.left_vectors[:, order], pushed / value, atol=1e-3)
    for patterns in (seen.right_vectors, seen.left_vectors):
        flat = patterns.reshape(3, 8, size)
        gram = flat @ jnp.swapaxes(flat, 1, 2)
        np.testing.assert_allclose(gram, np.broadcast_to(np.eye(8), (3, 8, 8)), atol=1e-4)


@pytest.mark.slow
def test_a_numpy_denoiser_has_a_whole_portrait_but_no_randomised_one():
    inputs = drawn((32, 1))
    exact, near = (
        portrait(denoiser, inputs, KEY, {"one": orthonormal(0, 32, 4)})
        for denoiser in (smooth, smooth_in_numpy)
    )
    np.testing.assert_allclose(near.values, exact.values, atol=5e-3)
    np.testing.assert_allclose(near.passed["one"], exact.passed["one"], atol=5e-3)
    np.testing.assert_allclose(near.symmetry, exact.symmetry, atol=5e-3)
    with pytest.raises(InvalidInput, match="transposed Jacobian product"):
        portrait(smooth_in_numpy, inputs, KEY, whole=False)


@pytest.mark.parametrize("whole", [True, False])
def test_the_portrait_uses_a_denoisers_own_products(whole):
    shape = SHAPES[1]
    matrix, inputs = matrices(shape)["asymmetric"], drawn(shape)
    own = Brought(matrix)
    seen = portrait(own, inputs, KEY, probes=16, whole=whole)
    assert own.calls > 0
    np.testing.assert_allclose(
        seen.values, np.broadcast_to(WEIGHTS[:8], seen.values.shape), atol=1e-4
    )


@pytest.mark.slow
def test_an_image_is_portrayed_from_products_alone():
    inputs = drawn((32, 33, 1), batch=1)  # 1056 values: no whole Jacobian
    seen = portrait(lambda x: 0.5 * x, inputs, KEY, probes=2, rank=3)
    np.testing.assert_allclose(seen.trace, 0.5 * 1056, rtol=1e-4)  # signs squared are 1
    np.testing.assert_allclose(seen.dimensions, 0.25 * 1056, rtol=1e-4)
    np.testing.assert_allclose(seen.values, 0.5, rtol=1e-4)
    assert seen.right_vectors.shape == (1, 3, 32, 33, 1)


def test_no_more_singular_vectors_are_given_than_there_are():
    for whole in (True, False):
        seen = portrait(unchanged, drawn((4, 1)), KEY, rank=9, whole=whole)
        assert seen.values.shape == (3, 4)
        assert seen.left_vectors.shape == (3, 4, 4, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "rank"),
        ({"probes": 0}, "probes"),
        ({"method": "exact"}, "method"),
        ({"step": 0.0}, "step"),
        ({"subspaces": {"mine": np.eye(5, 2)}}, r"subspaces\['mine'\].*shape \(16, rank\)"),
    ],
    ids=["rank", "probes", "method", "step", "subspaces"],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        portrait(unchanged, drawn((16, 1)), KEY, **options)


@pytest.mark.parametrize(
    ("denoiser", "broken", "message"),
    [
        (unchanged, True, "inputs, sample 2"),
        (lambda x: x * np.nan, False, "output of the denoiser, sample 0"),
        (lambda x: x[:, :5], False, "expected shape"),
    ],
    ids=["inputs", "outputs", "shape"],
)
def test_what_cannot_be_portrayed_is_refused(denoiser, broken, message):
    inputs = drawn((16, 1))
    if broken:
        inputs[2, 3] = np.nan
    with pytest.raises(InvalidInput, match=message):
        portrait(denoiser, inputs, KEY)
