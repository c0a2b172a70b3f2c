"""What holds of every script, at its smallest preset: the first half of the story."""

import reproduce
from on_every_script import *  # noqa: F403 (its tests)

SCRIPTS = reproduce.STORY[: reproduce.STORY.index("generative_prior")]
