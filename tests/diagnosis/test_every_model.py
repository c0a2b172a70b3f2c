"""Models and data as people have them: taken or refused as the page says, row by row.

`python tests/diagnosis/test_every_model.py` writes the table of docs/models.md anew.
"""

import functools
import re
import sys
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from scipy.ndimage import gaussian_filter, shift

from shortcut1d.diagnosis import diagnose
from shortcut1d.diagnosis.adapters import adapt, from_deepinv, from_function, from_torch
from shortcut1d.errors import InvalidInput

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "models.md"
SPACE = (16, 16)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # other people's packages


def pictures(seed, count=12):
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(count, *SPACE, 1)), (0, 2, 2, 0))
    return (0.5 + 0.15 * smooth / smooth.std()).clip(0.05, 0.95).astype(np.float32)


def noise(seed, strength=0.1, count=12):
    return (strength * np.random.default_rng(seed).normal(size=(count, *SPACE, 1))).astype("f4")


CLEAN, NEW = pictures(0), pictures(1)
PAIRS = {
    "degraded": CLEAN + noise(2),
    "unseen_content": (NEW, NEW + noise(3)),
    "unseen_degradation": (CLEAN, CLEAN + np.sign(noise(4)) * 0.1),
}


def given(denoiser, change=lambda x: x, **options):
    """The report on a denoiser; `change` is made to all samples."""

    def changed(pair):
        return tuple(map(change, pair))

    return diagnose(
        denoiser,
        change(CLEAN),
        options.pop("degraded", change(PAIRS["degraded"])),
        unseen_content=changed(PAIRS["unseen_content"]),
        unseen_degradation=options.pop("unseen_degradation", changed(PAIRS["unseen_degradation"])),
        **({"portraits": 0, "pictures": True} | options),
    )


def outcome(case):
    """What a row of the page says of a case."""
    try:
        report = case()
    except InvalidInput as refusal:
        return f"refused: {plain(str(refusal))}"
    return "taken" + "".join(f"; {plain(note)}" for note in report.notes)


def plain(text):
    """A message as it stands on a page, without numbers whose last digit may differ."""
    text = re.sub(r"-?\d+\.\d+(e[+-]?\d+)?|\d+(?=%)", "…", text)
    return text.replace("|", "/").replace("<", "&lt;").replace("`", "'")


# ------------------------------------------------------------------------------------- models


def blur_numpy(y):
    return gaussian_filter(np.asarray(y), (0, 1, 1, 0))


def blur(y):
    weights = jnp.exp(-0.5 * jnp.arange(-3, 4) ** 2)
    weights /= weights.sum()
    padded = jnp.pad(y, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="symmetric")
    rows = sum(w * padded[:, n : n + y.shape[1]] for n, w in enumerate(weights))
    return sum(w * rows[:, :, n : n + y.shape[2]] for n, w in enumerate(weights))


class Blur:
    def __call__(self, y):
        return blur_numpy(y)

    def wide(self, y, sigma):
        return gaussian_filter(np.asarray(y), (0, sigma, sigma, 0))


def in_eights(y):
    if y.shape[1] % 12:
        raise ValueError(f"height {y.shape[1]} is no multiple of 12")
    return blur(y)


def alone(y):
    (sample,) = y
    return blur_numpy(sample[None])


def only_of_12(y):
    if y.shape[1:3] != (12, 12):
        raise ValueError("only pictures of 12 x 12")
    return blur(y)


@jax.custom_jvp
def straight_through(y):
    return 0.2 * y + 0.4


straight_through.defjvp(lambda primals, tangents: (straight_through(*primals), tangents[0]))


def in_place(y):
    y *= 0.5
    y += 0.25
    return y


def random(y):
    return blur_numpy(y) + 0.02 * np.random.default_rng().normal(size=y.shape)


def flax_nnx(training, kind="dropout"):
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.conv = nnx.Conv(1, 8, (3, 3), rngs=rngs)
            self.other = (
                nnx.Dropout(0.3, rngs=rngs) if kind == "dropout" else nnx.BatchNorm(8, rngs=rngs)
            )
            self.last = nnx.Conv(8, 1, (3, 3), rngs=rngs)

        def __call__(self, y):
            return self.last(nnx.relu(self.other(self.conv(y))))

    net = Net(nnx.Rngs(0))
    net.train() if training else net.eval()
    return net


def flax_linen():
    net = linen.Conv(1, (3, 3))
    return functools.partial(net.apply, net.init(jax.random.key(0), jnp.zeros((1, *SPACE, 1))))


def equinox():
    eqx = pytest.importorskip("equinox")
    net = eqx.nn.Conv2d(1, 1, 3, padding=1, key=jax.random.key(0))
    return lambda y: jnp.moveaxis(jax.vmap(net)(jnp.moveaxis(y, -1, 1)), 1, -1)


def scikit_image(y):
    restoration = pytest.importorskip("skimage.restoration")
    return restoration.denoise_tv_chambolle(y, weight=0.1)


def torch_net(forward=None, training=False, **options):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, y):
            return forward(torch, self.conv, y) if forward else self.conv(y)

    net = Net()
    return net.train() if training else net.eval()


def inference_mode(torch, conv, y):
    with torch.inference_mode():
        return conv(y)


def numpy_inside(torch, conv, y):
    return torch.from_numpy(blur_numpy(y.numpy()))


def own_backward(torch, conv, y):
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y):
            return 0.2 * y + 0.4

        @staticmethod
        def backward(ctx, g):
            return g

    return Own.apply(y)


def to_bytes(torch, conv, y):
    return (255 * y).clamp(0, 255).to(torch.uint8)


def scripted(how):
    torch = pytest.importorskip("torch")
    conv = torch.nn.Conv2d(1, 1, 3, padding=1).eval()
    if how == "trace":
        return torch.jit.trace(conv, torch.zeros(1, 1, *SPACE)).eval()
    return getattr(torch, how)(conv) if how == "compile" else torch.jit.script(conv)


def the_real_deepinv():
    pytest.importorskip("torch")
    try:
        return pytest.importorskip("deepinv")
    except RuntimeError as error:  # torchvision and PyTorch of different builds
        pytest.skip(f"deepinv cannot be imported here: {error}")


def deepinv_denoiser():
    models = the_real_deepinv().models
    return models.DnCNN(1, 1, depth=3, nf=8, pretrained=None).eval()


def deepinv_unet():
    models = the_real_deepinv().models
    return models.DRUNet(1, 1, nc=(4, 8, 8, 8), nb=1, pretrained=None).eval()


def deepinv_reconstructor():
    deepinv = the_real_deepinv()
    prior = deepinv.models.ArtifactRemoval(deepinv_denoiser(), mode="direct").eval()
    return from_deepinv(
        prior, physics=deepinv.physics.Denoising(deepinv.physics.GaussianNoise(0.1))
    )


def twice(y):
    return blur(y), y


def named(y):
    return {"image": blur(y), "noise": y}


# ------------------------------------------------------------------------------------- the table

MODELS = {
    "a NumPy function": lambda: given(blur_numpy),
    "a JAX function": lambda: given(blur),
    "a jitted JAX function": lambda: given(jax.jit(blur)),
    "an object with `__call__`": lambda: given(Blur()),
    "an object with `predict` and no `__call__`, as Keras's": lambda: given(
        types.SimpleNamespace(predict=blur_numpy)
    ),
    "a filter of one picture, `from_function`": lambda: given(from_function(scikit_image)),
    "Flax NNX, `eval()`": lambda: given(flax_nnx(False)),
    "Flax NNX with dropout, in training mode": lambda: given(flax_nnx(True)),
    "Flax NNX with batch normalisation, in training mode": lambda: given(
        flax_nnx(True, "normalisation")
    ),
    "Flax Linen, `partial(net.apply, variables)`": lambda: given(flax_linen()),
    "Equinox, `jax.vmap` and channels moved": lambda: given(equinox()),
    "two networks trained alike": lambda: given([blur, blur_numpy]),
    "gives float64": lambda: given(lambda y: blur_numpy(y).astype(np.float64)),
    "gives nested lists": lambda: given(lambda y: blur_numpy(y).tolist()),
    "gives values rounded to 1/255": lambda: given(lambda y: np.round(255 * blur_numpy(y)) / 255),
    "gives 0 to 255 for samples in [0, 1]": lambda: given(lambda y: 255 * blur(y)),
    "the same, `adapt(model, output_scale=255)`": lambda: given(
        adapt(lambda y: 255 * blur(y), output_scale=255)
    ),
    "gives bytes for samples in [0, 1]": lambda: given(
        lambda y: (255 * blur_numpy(y)).clip(0, 255).astype(np.uint8)
    ),
    "the same, `adapt(model, output_scale=255)`, bytes": lambda: given(
        adapt(lambda y: (255 * blur_numpy(y)).clip(0, 255).astype(np.uint8), output_scale=255)
    ),
    "gives 0 to 1 for samples in [0, 255]": lambda: given(
        lambda y: blur(y) / 255, lambda x: 255 * x, peak=255
    ),
    "takes and gives 0 to 255, `adapt(model, input_scale=255)`": lambda: given(
        adapt(lambda y: blur(y.clip(0, 255)), input_scale=255)
    ),
    "gives a tuple": lambda: given(twice),
    "the same, `adapt(model, output=0)`": lambda: given(adapt(twice, output=0)),
    "gives a dictionary": lambda: given(named),
    'the same, `adapt(model, output="image")`': lambda: given(adapt(named, output="image")),
    'a slip, `adapt(model, output="imag")`': lambda: given(adapt(named, output="imag")),
    "wants a noise level": lambda: given(Blur().wide),
    'the same, `adapt(model, arguments={"sigma": 1.0})`': lambda: given(
        adapt(Blur().wide, arguments={"sigma": 1.0})
    ),
    "takes sizes in multiples of 12": lambda: given(in_eights),
    "the same, `adapt(model, multiple=12)`": lambda: given(adapt(in_eights, multiple=12)),
    "takes one picture at a time": lambda: given(alone),
    "the same, `adapt(model, one_at_a_time=True)`": lambda: given(adapt(alone, one_at_a_time=True)),
    "takes pictures of 12 x 12 only": lambda: given(only_of_12),
    "the same, `adapt(model, tile=12, overlap=6)`": lambda: given(
        adapt(only_of_12, tile=12, overlap=6)
    ),
    "changes the size": lambda: given(lambda y: y[:, 1:]),
    "gives NaN": lambda: given(lambda y: y * np.nan),
    "raises": lambda: given(lambda y: 1 / 0),
    "is random": lambda: given(random),
    "has a gradient of its own (JAX, straight-through)": lambda: given(straight_through),
    "writes into its input": lambda: given(in_place),
    "gives a constant": lambda: given(lambda y: np.full_like(y, 0.5)),
    "gives its input": lambda: given(lambda y: y),
    "gives black and white only": lambda: given(lambda y: (y > 0.5).astype(np.float32)),
    "shifts by a pixel": lambda: given(
        lambda y: shift(blur_numpy(y), (0, 1, 1, 0), mode="nearest")
    ),
    "no callable": lambda: given("blur"),
}
TORCH = {
    "a module, not wrapped": lambda: given(torch_net()),
    "a module in training mode": lambda: given(torch_net(training=True)),
    "`inference_mode` in `forward`": lambda: given(torch_net(inference_mode)),
    "`detach` in `forward`": lambda: given(torch_net(lambda torch, conv, y: conv(y.detach()))),
    "NumPy in `forward`": lambda: given(torch_net(numpy_inside)),
    "a gradient of its own (`autograd.Function`)": lambda: given(torch_net(own_backward)),
    "dropout in `forward`, always on": lambda: given(
        torch_net(lambda torch, conv, y: torch.nn.functional.dropout(conv(y), 0.3))
    ),
    "gives bytes": lambda: given(torch_net(to_bytes)),
    "the same, `from_torch(module, output_scale=255)`": lambda: given(
        from_torch(torch_net(to_bytes), output_scale=255)
    ),
    "a module that gives a tuple": lambda: given(torch_net(lambda torch, conv, y: (conv(y), y))),
    "the same, `from_torch(module, output=0)`": lambda: given(
        from_torch(torch_net(lambda torch, conv, y: (conv(y), y)), output=0)
    ),
    "a module in float64": lambda: given(torch_net().double()),
    "a module in bfloat16": lambda: given(torch_net().bfloat16()),
    "`torch.compile`d": lambda: given(from_torch(scripted("compile"))),
    "`torch.jit.script`": lambda: given(scripted("script")),
    "`torch.jit.trace`": lambda: given(scripted("trace")),
    "deepinv's DnCNN, `from_deepinv`": lambda: given(from_deepinv(deepinv_denoiser())),
    "deepinv's DRUNet, which gets the noise level, `from_deepinv(model, sigma=0.1)`": lambda: given(
        from_deepinv(deepinv_unet(), sigma=0.1)
    ),
    "a reconstructor of deepinv, `from_deepinv(model, physics=...)`": lambda: given(
        deepinv_reconstructor()
    ),
}
DATA = {
    "pictures in [0, 255], `pictures=True`": lambda: given(blur, lambda x: 255 * x),
    "the same, `peak=255`": lambda: given(blur, lambda x: 255 * x, peak=255),
    "pictures of bytes": lambda: given(blur_numpy, lambda x: (255 * x).clip(0, 255).astype("u1")),
    "pictures in [-1, 1]": lambda: given(blur, lambda x: 2 * x - 1),
    "pictures in [0, 1], `peak=255`": lambda: given(blur, lambda x: x / 2, peak=255),
    "degraded pictures in another unit": lambda: given(blur, degraded=255 * PAIRS["degraded"]),
    "grey pictures without a channel axis": lambda: given(lambda y: y, lambda x: x[..., 0]),
    "the same, without a word on pictures": lambda: given(
        lambda y: y / 2, lambda x: x[..., 0], pictures=None
    ),
    "the same, `pictures=False`": lambda: given(
        lambda y: y / 2, lambda x: x[..., 0], pictures=False
    ),
    "channels first": lambda: given(lambda y: y / 2, lambda x: np.moveaxis(x, -1, 1)),
    "a NaN among the samples": lambda: given(blur, lambda x: np.where(x == x.max(), np.nan, x)),
    "degraded samples of another size": lambda: given(blur, degraded=PAIRS["degraded"][:, 1:]),
    "degraded samples that are the clean ones": lambda: given(blur, degraded=CLEAN),
    "an unseen degradation of another strength": lambda: given(
        blur, unseen_degradation=(CLEAN, CLEAN + noise(5, 0.3))
    ),
    "lists of numbers": lambda: given(blur_numpy, lambda x: x.tolist()),
}
TABLES = {"Models": MODELS, "PyTorch": TORCH, "Samples": DATA}
ROWS = {name: case for table in TABLES.values() for name, case in table.items()}


@pytest.mark.parametrize("name", ROWS)
def test_a_model_is_taken_or_refused_as_the_page_says(name):
    found = outcome(ROWS[name])
    assert f"| {name} | {found} |" in PAGE.read_text().splitlines()


def test_the_page_has_no_other_rows():
    _, tables = PAGE.read_text().split("## What comes of what")
    rows = re.findall(r"^\| (.*?) \| (?:taken|refused)", tables, re.MULTILINE)
    assert rows == list(ROWS)


def write():
    """The page's tables, made anew."""
    text = PAGE.read_text()
    for title, table in TABLES.items():
        rows = [f"| {name} | {outcome(case)} |" for name, case in table.items()]
        made = "\n".join(["| what | what comes of it |", "| --- | --- |", *rows])
        text = re.sub(
            rf"(## {title}\n\n)(?:\|.*\n)*",
            lambda found, made=made: found.group(1) + made + "\n",
            text,
        )
    PAGE.write_text(text)


if __name__ == "__main__":
    sys.exit(write())


def test_a_noise_level_for_deepinv_is_in_the_unit_of_the_samples():
    deepinv = the_real_deepinv()

    class Spy(deepinv.models.Denoiser):
        def forward(self, x, sigma):
            return x / (1 + sigma)

    model = from_deepinv(Spy().eval(), sigma=25.5, input_scale=1 / 255)
    np.testing.assert_allclose(model(np.full((2, 8, 8, 1), 200, np.float32)), 200 / 1.1, rtol=1e-5)
    with pytest.raises(InvalidInput, match=r"arguments: got 0\.1"):
        from_deepinv(Spy().eval(), arguments=0.1)
