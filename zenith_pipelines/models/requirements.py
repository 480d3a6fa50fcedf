"""What a ticker's data must offer before models are trained on it."""

from zenith_core.evaluation.walk_forward import WalkForward
from zenith_core.features.model_features import WARM_UP
from zenith_pipelines.models.lstm import LSTMConfig

MIN_SESSIONS = WARM_UP + LSTMConfig().window + WalkForward().min_samples
"""Sessions that the indicators' warm-up, the first window and the walk-forward folds take."""
