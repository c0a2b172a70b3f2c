"""The study of published networks: what its kept table says, and what its claims read off."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from common import published
from common.published import LEVELS
from common.published_tasks import OWN_RAIN, luminance

from shortcut1d.diagnosis.inputs import CONTENT, DEGRADATION, SEEN

FIGURES = Path(__file__).resolve().parent.parent.parent / "figures"
# dB on whole pictures: Zhang et al. 2017 and Mohan et al. 2020 (BSD68 in noise of 25), the table in
# PReNet's repository (Rain100H, luminance). How near each must come.
PRINTED = {
    "DnCNN, noise to 55": (29.16, 0.05),
    "DnCNN without biases, noise to 55": (29.13, 0.05),
    "U-Net, noise to 55": (29.03, 0.05),
    "U-Net without biases, noise to 55": (29.03, 0.05),
    "PReNet, Rain100H": (29.46, 0.15),
    "PReNet_r, Rain100H": (28.98, 0.15),
}


@pytest.fixture(scope="module")
def kept():
    return pd.read_csv(FIGURES / "published_networks.csv")


@pytest.mark.parametrize("name", PRINTED)
def test_a_rebuilt_network_reaches_the_psnr_that_was_printed(name, kept):
    whole = kept[(kept["role"] == "whole pictures") & (kept["network"] == name)]
    assert len(whole) == (100 if "PReNet" in name else 68)
    printed, near = PRINTED[name]
    assert whole["psnr"].mean() == pytest.approx(printed, abs=near)


def test_every_network_is_in_the_kept_table(kept):
    assert list(dict.fromkeys(kept["network"])) == [one.name for one in published.networks()]


def test_a_network_without_biases_has_none(kept):
    shares = kept.groupby(["network", "bias"])["bias_share"].max().dropna()
    for (name, bias), share in shares.items():
        assert (share > 0.05) if bias else (share < 1e-4), name


def made(left, psnr, bias_share):
    """A table of all networks on ten pictures; each value is of network, role and picture."""
    roles = {SEEN: "seen", CONTENT: "other photographs", DEGRADATION: OWN_RAIN, "control": "x"}
    rows = [
        {
            "network": one.name, "architecture": one.architecture, "role": role,
            "tested_on": test, "picture": picture, "left": left(one, role),
            "psnr": psnr(one, role) + 0.01 * picture, "bias_share": bias_share(one, role),
        }
        for one, (role, test), picture in itertools.product(
            published.networks(), roles.items(), range(10)
        )
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_claims_read_off_what_was_put_in(module):
    def left(one, role):
        if one.derains:
            own = {SEEN: 0.04, CONTENT: 0.14, DEGRADATION: 0.52, "control": 0.05}
            return own[role] if one.trained_on == OWN_RAIN else 0.6
        return {SEEN: 0.2, DEGRADATION: 0.6 if one.bias else 0.1}.get(role, 0.3)

    def psnr(one, role):
        worse = 2.0 if one.level != LEVELS[0] else 1.5
        return 30 - (worse if one.bias and role == DEGRADATION else 0.0)

    def bias_share(one, role):
        return (0.7 if role == DEGRADATION else 0.2) if one.bias else 0.0

    claims = module("published_networks").claims(made(left, psnr, bias_share))
    found = [claim.interval.estimate for claim in claims]
    assert found == pytest.approx([1.5, 0.0, 0.5, 0.5, 1.125, 0.38, 0.5, 0.56, 0.01], abs=1e-6)
    assert {claim.over for claim in claims} == {"pictures"}


def test_claims_are_on_the_networks_that_are_there(module):
    table = made(lambda *_: 0.1, lambda *_: 30.0, lambda *_: 0.1)
    only = table[table["architecture"].isin(["PReNet", "PReNet_r"])]
    assert len(module("published_networks").claims(only)) == 4
    assert module("published_networks").claims(table[table["architecture"] == "U-Net"]) == []


def test_luminance_is_that_of_matlab():
    colors = np.array([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [2, -1, 0]])[None, None]
    expected = np.array([16, 235, 16 + 65.481, 16 + 65.481]) / 255
    assert np.allclose(luminance(colors)[0, 0, :, 0], expected)
