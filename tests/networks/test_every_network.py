import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from shortcut1d import networks
from shortcut1d.errors import InvalidInput
from shortcut1d.networks import MLP, Attention, ConvNet, ResNet, UNet, WithDropout
from shortcut1d.networks.layers import join_patches, split_patches, unfold

init = jax.jit(networks.init, static_argnums=(0, 2, 3))
apply = jax.jit(networks.apply, static_argnums=0)
PAD = {"circular": "wrap", "reflect": "reflect"}


def library_convolution(x, weight, dilation, edges):
    rank = x.ndim - 2
    reach = dilation * (weight.shape[0] // 2)
    padded = jnp.pad(x, [(0, 0), *[(reach, reach)] * rank, (0, 0)], mode=PAD[edges])
    space = "HWD"[:rank]
    layout = (f"N{space}C", f"{space}IO", f"N{space}C")
    return lax.conv_general_dilated(
        padded,
        weight,
        window_strides=(1,) * rank,
        padding="VALID",
        rhs_dilation=(dilation,) * rank,
        dimension_numbers=layout,
        precision=lax.Precision.HIGHEST,
    )


def our_convolution(x, weight, dilation, edges):
    patches = unfold(x, weight.shape[0], dilation, edges)
    return patches @ weight.reshape(-1, weight.shape[-1])


@pytest.mark.slow
@pytest.mark.parametrize("edges", ["circular", "reflect"])
@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("space", [(32,), (12, 14), (8, 9, 10)], ids=["1d", "2d", "3d"])
def test_unfolded_convolution_is_the_library_s_in_value_and_gradient(space, dilation, edges, key):
    kernel = 3 if len(space) == 3 else 5
    keys = jax.random.split(key, 3)
    x = jax.random.normal(keys[0], (2, *space, 3))
    weight = jax.random.normal(keys[1], (kernel,) * len(space) + (3, 4)) / kernel ** len(space)
    probe = jax.random.normal(keys[2], (2, *space, 4))
    if edges == "reflect" and dilation * (kernel // 2) >= min(space):
        pytest.skip("reflection reaches over the whole axis")
    values, slopes = [], []
    for convolve in (our_convolution, library_convolution):

        def loss(x, weight, convolve=convolve):
            value = convolve(x, weight, dilation, edges)
            return jnp.mean(probe * value), value

        slope, value = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(x, weight)
        values.append(value)
        slopes.append(slope)
    np.testing.assert_allclose(values[0], values[1], atol=1e-5)
    for ours, theirs in zip(*slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


NETWORKS = {
    "conv": ConvNet(width=4, depth=3),
    "mlp": MLP(width=8),
    "unet": UNet(width=4, levels=3),
    "residual": ResNet(width=4, blocks=2),
    "attention": Attention(width=8, depth=1, heads=2),
    "dropout": WithDropout(ConvNet(width=4, depth=3), 0.5),
}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


@every_network
@pytest.mark.parametrize("space", [(16,), (8, 8)], ids=["1d", "2d"])
def test_a_network_keeps_the_shape_of_its_input(network, space, key):
    params = init(network, key, space, 2)
    x = jax.random.normal(key, (3, *space, 2))
    assert apply(network, params, x).shape == x.shape


@pytest.mark.slow
@every_network
def test_weights_are_a_plain_pytree_of_float_arrays_and_all_affect_the_output(network, key):
    params = init(network, key, (16,), 1)
    assert isinstance(params, dict)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
    x = jax.random.normal(key, (8, 16, 1))
    slopes = jax.jit(jax.grad(lambda p: jnp.mean((networks.apply(network, p, x) - 1) ** 2)))(params)
    for path, slope in jax.tree_util.tree_leaves_with_path(slopes):
        assert jnp.any(slope != 0), path


def test_two_keys_give_different_weights(key):
    one, other = (init(MLP(), jax.random.key(seed), (16,), 1) for seed in (0, 1))
    kernels = [jax.tree.leaves(p)[1] for p in (one, other)]
    assert not np.allclose(kernels[0], kernels[1])


@pytest.mark.slow
@pytest.mark.parametrize("maker", [ConvNet, MLP, UNet, ResNet, Attention])
def test_the_skip_adds_the_input(maker, key):
    plain, skip = maker(width=8, skip=False), maker(width=8, skip=True)
    params = init(plain, key, (16,), 1)
    x = jax.random.normal(key, (3, 16, 1))
    np.testing.assert_allclose(apply(skip, params, x), x + apply(plain, params, x), atol=1e-6)


@pytest.mark.slow
def test_a_conv_net_runs_on_any_length_and_is_shift_equivariant(key):
    network = ConvNet(width=4)
    denoise = networks.denoiser(network, init(network, key, (32,), 1))
    x = jax.random.normal(key, (1, 200, 1))
    np.testing.assert_allclose(
        denoise(jnp.roll(x, 37, axis=1)), jnp.roll(denoise(x), 37, axis=1), atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("network", [ConvNet(width=3), ConvNet(width=3, depth=4, kernel=5)])
def test_the_receptive_field_is_what_the_net_really_sees(network, key):
    length = 257
    params = init(network, key, (length,), 1)

    def centre(x):
        return apply(network, params, x[None, :, None])[0, length // 2, 0]

    slopes = jax.jit(jax.vmap(jax.grad(centre)))(jax.random.normal(key, (20, length)))
    seen = np.flatnonzero(np.any(np.asarray(slopes) != 0, axis=0))
    assert seen[-1] - seen[0] + 1 == network.receptive_field()


def test_the_default_conv_net_sees_a_whole_note():
    assert ConvNet().receptive_field() == 113


def test_an_mlp_refuses_another_window():
    params = init(MLP(), jax.random.key(0), (16,), 1)
    with pytest.raises(TypeError):
        apply(MLP(), params, jnp.zeros((1, 20, 1)))


@pytest.mark.slow
@pytest.mark.parametrize("network", [UNet(width=3), Attention(width=8, depth=1, heads=2)])
def test_a_unet_and_attention_see_the_whole_window(network, key):
    params = init(network, key, (128,), 1)

    def middle(x):
        return jnp.sum(apply(network, params, x[None, :, None])[0, 64])

    slopes = jax.vmap(jax.grad(middle))(jax.random.normal(key, (10, 128)))
    assert np.any(np.asarray(slopes) != 0, axis=0).mean() > 0.9


def test_a_unet_is_equivariant_to_shifts_of_its_coarsest_step(key):
    network = UNet(width=4, levels=3)
    denoise = networks.denoiser(network, init(network, key, (32,), 1))
    x = jax.random.normal(key, (1, 32, 1))
    moved = denoise(jnp.roll(x, 12, axis=1))
    np.testing.assert_allclose(moved, jnp.roll(denoise(x), 12, axis=1), atol=1e-5)


@pytest.mark.parametrize("space", [(12,), (8, 12)])
def test_patches_are_blocks_and_go_back_where_they_came_from(space, key):
    x = jax.random.normal(key, (2, *space, 3))
    patches = split_patches(x, 4)
    assert patches.shape == (2, *(axis // 4 for axis in space), 4 ** len(space) * 3)
    first = x[(slice(None), *[slice(0, 4)] * len(space))].reshape(2, -1)
    np.testing.assert_array_equal(patches[(slice(None), *[0] * len(space))], first)
    np.testing.assert_array_equal(join_patches(patches, 4), x)


@pytest.mark.parametrize(
    ("network", "message"),
    [(UNet(levels=4), "multiples of 8"), (Attention(patch=3), "multiples of 3")],
)
def test_a_size_that_cannot_be_divided_is_refused(network, message, key):
    with pytest.raises(InvalidInput, match=rf"space: got \(20,\), expected {message}"):
        networks.init(network, key, (20,), 1)


def test_dropout_drops_complete_channels_in_training_only(key):
    plain = MLP(width=400, depth=2)
    dropped = WithDropout(plain, 0.25)
    params = init(plain, key, (16,), 1)
    # Hidden units all 1, each handed to the first output: it counts those that are left.
    params["layers"][0] = {"kernel": jnp.zeros((16, 400)), "bias": jnp.ones(400)}
    params["layers"][1] = {"kernel": jnp.ones((400, 16)), "bias": jnp.zeros(16)}
    x = jnp.zeros((50, 16, 1))
    np.testing.assert_allclose(apply(dropped, params, x), apply(plain, params, x))
    trained = apply(dropped, params, x, key)[:, 0, 0]
    left = np.asarray(trained * 0.75)
    np.testing.assert_allclose(left, np.round(left), atol=1e-3)
    assert len(np.unique(left)) > 10  # each sample its own
    assert trained.mean() == pytest.approx(400, rel=0.02)  # the mean stays


def test_dropout_takes_only_networks_that_support_it():
    with pytest.raises(InvalidInput, match="inner: got UNet"):
        WithDropout(UNet())
