"""The signal model: soft vote of RandomForest and XGBoost on the newest feature row; classes as in SIGNALS.

Daily labels are mostly noise, so both learners are weak: a shallow forest with large leaves, for interactions of
features, and boosted stumps, for the effect of each feature (docs/decisions/0011).
"""

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from zenith_core.errors import NonFiniteInput, TrainingError
from zenith_core.inference import SIGNALS
from zenith_core.model_kinds.options import EnsembleOptions

if TYPE_CHECKING:
    from sklearn.ensemble import VotingClassifier


class EnsembleConfig(EnsembleOptions):
    """The configuration with its seed. Labels are returns `horizon` sessions ahead against ± `threshold` deviations."""

    seed: int = 0

    @classmethod
    def of(cls, options: EnsembleOptions) -> Self:
        """Return the hyperparameters of a configuration."""
        return cls(**options.model_dump())


def fit_ensemble(
    config: EnsembleConfig, values: NDArray[np.float32], labels: NDArray[np.integer]
) -> "VotingClassifier":
    """Fit a VotingClassifier on `values` (n, features) and `labels` (n,): 0 sell, 1 hold, 2 buy.

    Raises NonFiniteInput on NaN or infinity, because both models would silently train on them, and TrainingError if a
    class never occurs.
    """
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from xgboost import XGBClassifier

    _require_finite(values)
    _require_all_classes(labels)
    forest = RandomForestClassifier(
        config.trees,
        max_depth=config.depth,
        min_samples_leaf=config.leaf_share,
        max_features=config.feature_share,
        max_samples=config.row_share,
        random_state=config.seed,
        n_jobs=1,
    )
    boosting = XGBClassifier(
        n_estimators=config.boosting_rounds,
        max_depth=config.boosting_depth,
        learning_rate=config.learning_rate,
        subsample=config.row_share,
        random_state=config.seed,
        n_jobs=1,
    )
    # The ONNX converter supports the vote only with flatten_transform off.
    vote = VotingClassifier([("forest", forest), ("boosting", boosting)], voting="soft", flatten_transform=False)
    return vote.fit(values, labels.astype(np.int64))


def predict_probabilities(model: "VotingClassifier", values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the uncalibrated vote for each of SIGNALS (n, 3) on `values` (n, features). Raises NonFiniteInput."""
    _require_finite(values)
    return np.asarray(model.predict_proba(values), dtype=np.float64)


def importances(model: "VotingClassifier") -> NDArray[np.float64]:
    """Return each feature's importance (features,): the mean of both models' own measures, summing to 1."""
    measures = [estimator.feature_importances_ for estimator in model.estimators_]
    return np.asarray(np.mean(measures, axis=0, dtype=np.float64))


def _require_finite(values: NDArray[np.floating]) -> None:
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise NonFiniteInput(f"row {row}, column {column} is {values[row, column]}: expected finite numbers")


def _require_all_classes(labels: NDArray[np.integer]) -> None:
    missing = [name for number, name in enumerate(SIGNALS) if not (labels == number).any()]
    if missing:
        raise TrainingError(
            f"none of the {len(labels)} training labels is {' or '.join(missing)}: "
            "use a longer history or another label threshold"
        )
