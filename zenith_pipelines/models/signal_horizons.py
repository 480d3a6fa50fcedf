"""The ensemble for signals of other horizons: the same trainer under the name of each row."""

from functools import partial

from zenith_pipelines.models.training import train_votes

train_1 = partial(train_votes, "ensemble_1")
train_20 = partial(train_votes, "ensemble_20")
