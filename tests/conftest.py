import os

import pytest

# Two devices, as the driver gives itself on two cores: what is sharded must be tested sharded.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")

import jax
from hypothesis import settings

# Compilation makes first examples slow; the same examples every time make a red run mean something.
settings.register_profile("shortcut1d", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("shortcut1d")


@pytest.fixture
def key():
    return jax.random.key(0)
