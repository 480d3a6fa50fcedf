"""Time splits for walk-forward evaluation: expanding training, purged, with early-stopping rows inside the fold.

train ........ gap  validation  gap  test(1)
train .................. gap  validation  gap  test(2)
...                                              final: test is empty
"""

import math
from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import Ints
from zenith_core.errors import TooShortHistory


@dataclass(frozen=True)
class Fold:
    """Positions of consecutive samples, each an ascending range; `test` is empty for the final model."""

    train: Ints
    validation: Ints
    test: Ints


@dataclass(frozen=True)
class WalkForward:
    """Parameters that cut samples in time order into folds.

    folds:       test blocks, equally long, consecutive, ending with the last sample
    test_share:  share of all samples in test blocks
    validation:  samples for early stopping before each test block; 0 for models that need none
    gap:         samples left out before validation and before test; at least the target's horizon, so that no
                 target of an earlier part reaches into a later one
    min_train:   fewest training samples in the first fold
    """

    folds: int = 4
    test_share: float = 0.4
    validation: int = 256  # about a year of sessions, and whole batches of 64
    gap: int = 30
    min_train: int = 192

    @property
    def min_samples(self) -> int:
        """Smallest number of samples that can be split."""
        before_test = self.min_train + self._held_out
        return max(math.ceil(before_test / (1 - self.test_share)), math.ceil(self.folds / self.test_share))

    def split(self, n: int) -> list[Fold]:
        """Return the folds of `n` samples, oldest first. Raises TooShortHistory below `min_samples`."""
        self._require(n)
        block = int(n * self.test_share) // self.folds
        starts = range(n - block * self.folds, n, block)
        return [self._fold(start, start + block) for start in starts]

    def final(self, n: int) -> Fold:
        """Return the fold that trains the served model: like those of `split`, with the test block in the future."""
        self._require(n)
        return self._fold(n, n)

    @property
    def _held_out(self) -> int:
        """Number of samples between the end of training and the start of the test."""
        return self.gap + (self.validation + self.gap if self.validation else 0)

    def _fold(self, start: int, stop: int) -> Fold:
        return Fold(
            train=np.arange(start - self._held_out),
            validation=np.arange(start - self.gap - self.validation, start - self.gap),
            test=np.arange(start, stop),
        )

    def _require(self, n: int) -> None:
        if n < self.min_samples:
            raise TooShortHistory(
                f"{n} samples are too few: {self.folds} walk-forward folds with {self.min_train} to train on "
                f"need at least {self.min_samples}"
            )
