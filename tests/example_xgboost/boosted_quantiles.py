"""A price model in a package of its own: quantiles of the return by gradient boosting, from the newest features."""

import numpy as np
from pydantic import Field

from zenith_core.features.model_features import FEATURES
from zenith_core.inference import HORIZONS, QUANTILES
from zenith_core.model_kinds.declaration import ModelKind
from zenith_core.model_kinds.options import ModelOptions
from zenith_pipelines.models.quantile_study import train_quantiles

LEARNED = np.array([1, 5, 10, 20, 30])  # horizons; the trees split between them, so that the others fall to one side
COLUMNS = len(FEATURES) + 1  # the horizon is the last one


class Options(ModelOptions):
    """The configuration of the model."""

    rounds: int = Field(default=40, ge=1, le=500, description="Trees of each quantile, 1 to 500.")
    depth: int = Field(default=2, ge=1, le=6, description="Depth of the trees, 1 to 6.")
    learning_rate: float = Field(default=0.1, ge=0.001, le=1, description="Weight of each tree, 0.001 to 1.")


KIND = ModelKind(
    name="boosted_quantiles",
    task="price",
    title="Boosted quantiles",
    description="XGBoost that forecasts quantiles of the returns 1 to 30 sessions ahead.",
    trainer="boosted_quantiles:train",
    options=Options,
    libraries=frozenset({"xgboost"}),
)


def train(data, options, on_progress):
    """Run the walk-forward study, then fit the model to serve."""
    return train_quantiles(
        KIND.name, data, options, 1, lambda windows, targets: BoostedQuantiles(options, windows, targets), on_progress
    )


class BoostedQuantiles:
    """One regression for each quantile, of the rows of all learned horizons."""

    def __init__(self, options, windows, targets):
        from xgboost import XGBRegressor

        rows, returns = with_horizons(windows[:, -1], LEARNED), targets[:, LEARNED - 1].ravel()
        self.regressions = [
            XGBRegressor(
                objective="reg:quantileerror",
                quantile_alpha=level,
                n_estimators=options.rounds,
                max_depth=options.depth,
                learning_rate=options.learning_rate,
                n_jobs=1,
            ).fit(rows, returns)
            for level in QUANTILES
        ]

    def quantiles(self, windows):
        """Return the quantiles in ascending order: regressions that know nothing of each other may cross."""
        rows = with_horizons(windows[:, -1], np.arange(1, HORIZONS + 1))
        levels = np.stack([regression.predict(rows) for regression in self.regressions], axis=-1)
        return np.sort(levels.reshape(len(windows), HORIZONS, len(QUANTILES))).astype(np.float64)

    def nodes(self):
        """Return the same in ONNX: rows with horizons, the trees, and the order."""
        from onnx.helper import make_node

        names = [f"level_{number}" for number in range(len(QUANTILES))]
        nodes = [
            make_node("Pad", ["window", "one_column"], ["newest"]),  # (n, 1, COLUMNS)
            make_node("Add", ["newest", "horizons"], ["cube"]),  # (n, HORIZONS, COLUMNS)
            make_node("Reshape", ["cube", "as_rows"], ["rows"]),
            *(trees(regression, name) for regression, name in zip(self.regressions, names, strict=True)),
            make_node("Concat", names, ["levels"], axis=1),
            make_node("TopK", ["levels", "all_levels"], ["ascending", "order"], largest=0),
            make_node("Reshape", ["ascending", "as_cube"], ["scores"]),
        ]
        return nodes, {
            "one_column": np.array([0, 0, 0, 0, 0, 1]),
            "horizons": with_horizons(np.zeros((1, len(FEATURES))), np.arange(1, HORIZONS + 1)),
            "as_rows": np.array([-1, COLUMNS]),
            "all_levels": np.array([len(QUANTILES)]),
            "as_cube": np.array([-1, HORIZONS, len(QUANTILES)]),
        }


def with_horizons(newest, horizons):
    """Return each row (n, features) once for each horizon, which is its last column: (n * horizons, COLUMNS)."""
    column = np.tile(horizons, len(newest))[:, np.newaxis]
    return np.concatenate([np.repeat(newest, len(horizons), axis=0), column], axis=1).astype(np.float32)


def trees(regression, output):
    """Return the node of one regression."""
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    (node,) = convert_xgboost(regression, initial_types=[("rows", FloatTensorType([None, COLUMNS]))]).graph.node
    node.name, node.output[:] = output, [output]
    return node
