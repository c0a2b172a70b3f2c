"""Other people's denoisers: filters of one sample, and PyTorch modules."""

import importlib.util
import sys

import jax
import numpy as np
import pytest
from scipy.ndimage import median_filter

from shortcut1d.analysis import jacobian, novelty_response, oracles, portrait, products_of
from shortcut1d.data import degradations, signals
from shortcut1d.diagnosis import diagnose
from shortcut1d.diagnosis.adapters import from_function, from_torch
from shortcut1d.diagnosis.loading import load
from shortcut1d.errors import InvalidInput

KEY = jax.random.key(0)
# Importing PyTorch, and `torch.func` once more, warns of a part of PyTorch that nobody here uses.
quiet = pytest.mark.filterwarnings("ignore:.*torch.jit.*")


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# ---------------------------------------------------------------- filters of one sample


@pytest.mark.parametrize("shape", [(3, 32, 1), (3, 32, 2), (3, 8, 6, 1), (3, 8, 6, 3)], ids=str)
def test_a_filter_is_given_sample_by_sample_and_channel_by_channel(shape):
    given = []

    def median(sample):
        given.append(sample.shape)
        return median_filter(sample, 3)

    batch = drawn(*shape)
    found = from_function(median)(batch)
    truth = np.empty(shape)
    for n in range(shape[0]):
        for c in range(shape[-1]):
            truth[n, ..., c] = median_filter(batch[n, ..., c], 3)
    np.testing.assert_array_equal(found, truth)
    assert given == [shape[1:-1]] * (shape[0] * shape[-1])


@pytest.mark.parametrize("shape", [(3, 32, 2), (3, 8, 6, 3)], ids=str)
def test_a_filter_of_all_channels_is_given_whole_samples(shape):
    given = []

    def to_grey(sample):
        given.append(sample.shape)
        return np.repeat(sample.mean(axis=-1, keepdims=True), shape[-1], axis=-1)

    batch = drawn(*shape)
    found = from_function(to_grey, channels=True)(batch)
    np.testing.assert_allclose(found, np.broadcast_to(batch.mean(-1, keepdims=True), shape))
    assert given == [shape[1:]] * shape[0]


def test_a_filter_gets_numpy_arrays_whatever_it_is_called_with():
    kinds = set()

    def noted(sample):
        kinds.add(type(sample))
        return sample

    for channels in (False, True):
        from_function(noted, channels=channels)(jax.numpy.ones((2, 8, 1)))
        from_function(noted, channels=channels)([[[1.0], [2.0]]])
    assert kinds == {np.ndarray}


@pytest.mark.parametrize("function", [None, 3, "median", np.ones(3)], ids=str)
def test_what_is_no_function_is_refused(function):
    with pytest.raises(InvalidInput, match=r"^function: got .*a function of one sample"):
        from_function(function)


def test_a_filter_that_changes_the_length_is_refused_when_diagnosed():
    clean = drawn(8, 32, 1)
    with pytest.raises(InvalidInput, match=r"samples 0 to 7: got \(8, 31, 1\)"):
        diagnose(from_function(lambda sample: sample[1:]), clean, clean + drawn(8, 32, 1, seed=1))


@pytest.mark.slow
def test_a_filter_of_scikit_image_is_diagnosed():
    restoration = pytest.importorskip("skimage.restoration")
    across, up = np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 10), indexing="ij")
    slopes = np.random.default_rng(0).uniform(0.2, 0.5, (16, 2))
    clean = (slopes[:, :1, None] * across + slopes[:, 1:, None] * up)[..., None]
    degraded = clean + 0.2 * drawn(*clean.shape)

    def smoothed(image):
        return restoration.denoise_tv_chambolle(image, weight=0.3)

    report = diagnose(
        from_function(smoothed),
        clean,
        degraded,
        unseen_content={"steeper": 1.5 * clean[::-1]},
        unseen_degradation={"fresh noise": (clean, clean + 0.2 * drawn(*clean.shape, seed=1))},
        portraits=2,
    )
    truth = np.stack([smoothed(image[..., 0])[..., None] for image in degraded])
    np.testing.assert_array_equal(report.outputs[0], truth)
    # Total variation takes noise from slopes, whichever they are: nobody trained it.
    assert report.index.verdict == "both"
    assert 0 < report["rho"].estimate < 1
    assert 0 < report["dimensions"].estimate < 120  # differences gave its Jacobian


# ---------------------------------------------------------------- PyTorch


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch


def conv(torch, rank=1, channels=1, hidden=4):
    """A small network with smooth units, in evaluation mode."""
    layer = (torch.nn.Conv1d, torch.nn.Conv2d)[rank - 1]
    return torch.nn.Sequential(
        layer(channels, hidden, 3, padding=1),
        torch.nn.Tanh(),
        layer(hidden, channels, 3, padding=1),
    ).eval()


def linear(torch, matrix):
    """The module with this Jacobian over the last axis."""
    module = torch.nn.Linear(len(matrix), len(matrix), bias=False).eval()
    with torch.no_grad():
        module.weight.copy_(torch.tensor(matrix))
    return module


@pytest.mark.slow
@quiet
@pytest.mark.parametrize("shape", [(3, 32, 2), (3, 8, 6, 2)], ids=str)
def test_the_output_is_the_modules_with_channels_moved(torch, shape):
    module, batch = conv(torch, len(shape) - 2, 2), drawn(*shape)
    with torch.no_grad():
        truth = module(torch.tensor(np.moveaxis(batch, -1, 1))).numpy()
    found = from_torch(module)(batch)
    assert isinstance(found, np.ndarray)
    assert found.shape == shape
    np.testing.assert_allclose(found, np.moveaxis(truth, 1, -1), rtol=1e-6)


@pytest.mark.slow
@quiet
def test_a_module_with_channels_last_gets_them_last(torch):
    module, batch = torch.nn.Linear(3, 3).eval(), drawn(2, 8, 6, 3)
    weight, bias = (part.detach().numpy() for part in (module.weight, module.bias))
    found = from_torch(module, channels_first=False)(batch)
    np.testing.assert_allclose(found, batch @ weight.T + bias, rtol=1e-5, atol=1e-6)
    jvp, vjp = from_torch(module, channels_first=False).products(batch)
    v = drawn(2, 8, 6, 3, seed=1)
    np.testing.assert_allclose(jvp(v), v @ weight.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(vjp(v), v @ weight, rtol=1e-5, atol=1e-6)


@quiet
def test_jax_arrays_and_lists_can_be_given(torch):
    denoiser, batch = from_torch(conv(torch)), drawn(2, 8, 1)
    truth = denoiser(batch)
    for given in (jax.numpy.asarray(batch), batch.tolist(), np.flip(batch[::-1], 0)):
        np.testing.assert_allclose(denoiser(given), truth, rtol=1e-6)


def dense(torch, module, sample):
    """The Jacobian over flattened `(*space, channels)` at one sample, by PyTorch's own means."""
    point = torch.tensor(np.moveaxis(sample, -1, 0)[None])
    found = torch.autograd.functional.jacobian(module, point)[0, :, :, 0].numpy()  # c s c s
    return np.transpose(found, (1, 0, 3, 2)).reshape(sample.size, sample.size)


@quiet
def test_push_is_the_product_with_the_dense_jacobian_and_pull_with_its_transpose(torch):
    module, batch = conv(torch, channels=2), drawn(3, 12, 2)
    matrices = np.stack([dense(torch, module, sample) for sample in batch])
    assert np.abs(matrices[0] - matrices[1]).max() > 0.01  # each input has its own
    assert np.abs(matrices - matrices.swapaxes(1, 2)).max() > 0.01  # which way round matters
    jvp, vjp = from_torch(module).products(batch)
    for seed in (1, 2):  # products can be taken again
        v = drawn(3, 12, 2, seed=seed)
        column = v.reshape(3, -1, 1)
        for product, matrix in ((jvp, matrices), (vjp, matrices.swapaxes(1, 2))):
            found = product(v)
            assert found.shape == v.shape
            np.testing.assert_allclose(
                found.reshape(3, -1), (matrix @ column)[..., 0], rtol=1e-4, atol=1e-5
            )
    np.testing.assert_allclose(jacobian(from_torch(module), batch), matrices, atol=1e-5)


@quiet
def test_the_novelty_response_of_a_module_is_exact(torch):
    matrix = 0.2 * drawn(32, 32)
    denoiser, batch, v = from_torch(linear(torch, matrix)), drawn(16, 32, 1), drawn(16, 32, 1)
    pushed = v[..., 0].astype(np.float64) @ matrix.T
    truth = np.sum(v[..., 0] * pushed) / np.sum(np.square(v, dtype=np.float64))
    assert abs(truth) > 0.01
    # Differences of numbers a hundred times as large would lose two more digits.
    found = novelty_response(denoiser, 100 * batch, KEY, v)
    assert float(found.rho) == pytest.approx(truth, abs=1e-5)
    assert products_of(denoiser, batch, "auto").vjp is not None
    assert products_of(denoiser, batch, "differences").vjp is None
    near = novelty_response(denoiser, batch, KEY, v, method="differences")
    assert float(near.rho) == pytest.approx(truth, abs=1e-3)


@quiet
def test_a_module_in_double_precision_is_given_it(torch):
    module = conv(torch).double()
    denoiser, batch, v = from_torch(module), drawn(2, 16, 1), drawn(2, 16, 1, seed=1)
    with torch.no_grad():
        truth = module(torch.tensor(batch.swapaxes(1, 2), dtype=torch.float64)).numpy()
    found = denoiser(batch)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, truth.swapaxes(1, 2), rtol=1e-12)
    jvp, vjp = denoiser.products(batch)
    assert np.sum(jvp(v) * v) == pytest.approx(np.sum(v * vjp(v)), rel=1e-12)
    assert from_torch(conv(torch))(batch.astype(np.float64)).dtype == np.float32  # and the reverse


@quiet
def test_a_module_without_parameters_has_products(torch):
    denoiser, batch, v = from_torch(torch.nn.Tanh().eval()), drawn(2, 16, 1), drawn(2, 16, 1)
    np.testing.assert_allclose(denoiser(batch), np.tanh(batch), rtol=1e-5)
    slope = 1 - np.tanh(batch) ** 2
    for product in denoiser.products(batch):
        np.testing.assert_allclose(product(v), slope * v, rtol=1e-4, atol=1e-6)


@quiet
def test_any_callable_on_tensors_will_do(torch):
    batch = drawn(2, 16, 1)
    np.testing.assert_allclose(from_torch(lambda x: 2 * x)(batch), 2 * batch)
    np.testing.assert_allclose(from_torch(lambda x: 2 * x).products(batch)[0](batch), 2 * batch)


@quiet
def test_a_module_cannot_write_to_what_it_is_given(torch):
    batch = drawn(2, 16, 1)
    before = batch.copy()
    found = from_torch(torch.nn.ReLU(inplace=True).eval())(batch)
    np.testing.assert_array_equal(found, np.maximum(before, 0))
    np.testing.assert_array_equal(batch, before)


@pytest.mark.slow
@quiet
def test_diagnosing_leaves_no_gradients_behind(torch):
    module = conv(torch)
    clean = drawn(8, 16, 1)
    diagnose(from_torch(module), clean, clean + drawn(8, 16, 1, seed=1), portraits=0)
    assert all(parameter.grad is None for parameter in module.parameters())


@quiet
def test_a_module_in_training_mode_is_refused(torch):
    module = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Dropout())
    message = r"^module: is in training mode, expected module.eval\(\)"
    with pytest.raises(InvalidInput, match=message):
        from_torch(module)
    denoiser, batch = from_torch(module.eval()), drawn(2, 16, 1)
    np.testing.assert_array_equal(denoiser(batch), denoiser(batch))


@quiet
@pytest.mark.parametrize("module", [None, 3, "net.pt"])
def test_what_is_no_module_is_refused(torch, module):
    with pytest.raises(InvalidInput, match=r"^module: got .*a PyTorch module"):
        from_torch(module)


def test_without_pytorch_it_says_so_in_one_line(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find(name)
    )
    with pytest.raises(InvalidInput, match=r"^from_torch: PyTorch is not installed") as refused:
        from_torch(lambda x: x)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
@quiet
def test_a_large_image_has_a_portrait_by_exact_products(torch):
    left, right = (np.linalg.qr(drawn(64 * 64, 3, seed=seed))[0] for seed in (1, 2))
    strengths = np.array([3.0, 2.0, 1.0], np.float32)
    narrow = torch.nn.Linear(64 * 64, 3, bias=False)
    wide = torch.nn.Linear(3, 64 * 64, bias=False)
    with torch.no_grad():
        narrow.weight.copy_(torch.tensor(strengths[:, None] * right.T))
        wide.weight.copy_(torch.tensor(left))
    module = torch.nn.Sequential(
        torch.nn.Flatten(), narrow, wide, torch.nn.Unflatten(1, (1, 64, 64))
    ).eval()
    seen = portrait(from_torch(module), drawn(1, 64, 64, 1), KEY, {"kept": right}, rank=4, probes=4)
    np.testing.assert_allclose(seen.values[0], [3, 2, 1, 0], atol=1e-3)
    for found, truth in ((seen.right_vectors, right), (seen.left_vectors, left)):
        overlap = np.abs(np.asarray(found)[0, :3].reshape(3, -1) @ truth)
        np.testing.assert_allclose(overlap, np.eye(3), atol=1e-3)
    passed = np.trace(right.T @ left @ np.diag(strengths)) / 3
    np.testing.assert_allclose(seen.passed["kept"], passed, atol=1e-4)


@pytest.mark.slow
@quiet
def test_diagnose_sees_what_modules_are(torch):
    seen = signals.band(8)
    basis = oracles.basis_of(seen.sample(KEY, 100)).astype(np.float32)
    layer = degradations.hiss(low=20, high=29)
    outside = oracles.basis_of(layer.sample(KEY, 100)).astype(np.float32)
    keeps, takes = basis @ basis.T, np.eye(128, dtype=np.float32) - outside @ outside.T
    options = {
        "unseen_content": signals.band(high=16, low=9),
        "unseen_degradation": degradations.hiss(low=40, high=55),
        "samples": 32,
    }
    fitted = diagnose(from_torch(linear(torch, keeps)), seen, layer, portraits=2, **options)
    assert fitted.index.verdict == "content"
    assert fitted["phi"].estimate == pytest.approx(1, abs=1e-4)
    assert fitted["rho"].estimate == pytest.approx(16 / 128, abs=0.03)
    assert fitted["dimensions"].estimate == pytest.approx(16, abs=0.01)
    both = [from_torch(linear(torch, matrix)) for matrix in (keeps, takes)]
    report = diagnose(both, seen, layer, portraits=0, **options)
    assert report["phi"].estimate == pytest.approx(0, abs=1e-4)
    assert report["phi"].seeds == 2


@quiet
def test_what_a_module_raises_is_said_of_it(torch):
    clean = drawn(8, 32, 1)
    with pytest.raises(InvalidInput, match=r"raised RuntimeError for seen, samples? 0") as refused:
        diagnose(from_torch(torch.nn.Linear(7, 7).eval()), clean, 2 * clean)
    assert isinstance(refused.value.__cause__, RuntimeError)


# ---------------------------------------------------------------- a model in a file


MODELS = """
import numpy as np

HALF = 0.5
not_a_model = 3

def denoise(batch):
    return HALF * batch

def load():
    return denoise

class Filter:
    def __init__(self, strength=0.5):
        self.strength = strength
    def __call__(self, batch):
        return self.strength * batch

def broken():
    raise KeyError("weights")

def leaves():
    raise SystemExit("bye")
"""


@pytest.fixture
def models(tmp_path, monkeypatch):
    (tmp_path / "models_of_a_user.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("models_of_a_user", None)


@pytest.mark.parametrize("name", ["denoise", "load", "Filter"])
@pytest.mark.parametrize("source", ["models_of_a_user", "models_of_a_user.py", "{}.py"])
def test_a_model_is_loaded_from_a_module_or_file(source, name, models):
    found = load(f"{source.format(models / 'models_of_a_user')}:{name}")
    batch = drawn(2, 8, 8, 3)
    np.testing.assert_array_equal(found(batch), 0.5 * batch)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("models_of_a_user", "model: got 'models_of_a_user', expected MODULE:NAME or FILE.py:NAME"),
        ("models_of_a_user:", "expected MODULE:NAME"),
        (":load", "expected MODULE:NAME"),
        ("no_such_module:load", "no_such_module cannot be imported (ModuleNotFoundError"),
        ("no_such_file.py:load", "no_such_file.py cannot be imported: there is no such file"),
        ("models_of_a_user:laod", "did you mean 'load'"),
        ("models_of_a_user:broken", "cannot be made (KeyError: 'weights')"),
        ("models_of_a_user:leaves", "cannot be made (SystemExit: bye)"),
        ("models_of_a_user:not_a_model", "got 'int', expected a callable on arrays"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_refused_in_one_line(spec, said, models):
    with pytest.raises(InvalidInput) as refused:
        load(spec)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_run_is_refused_in_one_line(models):
    (models / "half_written.py").write_text("def load(:\n")
    with pytest.raises(InvalidInput, match=r"half_written.py cannot be imported \(SyntaxError"):
        load("half_written.py:load")


@quiet
def test_a_pytorch_module_is_loaded_from_a_file(torch, tmp_path):
    lines = (
        "import torch", "same = torch.nn.Identity().eval()", "in_training = torch.nn.Dropout()",
        "def load():", "    return same",
    )  # fmt: skip
    (tmp_path / "modules.py").write_text("\n".join(lines))
    batch = drawn(2, 8, 8, 3)
    for name in ("same", "load"):
        np.testing.assert_array_equal(load(f"{tmp_path / 'modules.py'}:{name}")(batch), batch)
    with pytest.raises(InvalidInput, match="training mode"):
        load(f"{tmp_path / 'modules.py'}:in_training")
