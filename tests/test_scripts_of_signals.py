"""What holds of every script, at its smallest preset: the first half of the story."""

from on_every_script import *  # noqa: F403 (its tests)

from shortcut1d import reproduce

SCRIPTS = reproduce.STORY[: reproduce.STORY.index("generative_prior")]
