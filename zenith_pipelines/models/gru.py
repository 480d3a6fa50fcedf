"""The GRU: the network program of the LSTM with another cell, fewer weights for the same units."""

from zenith_core.model_kinds.options import NetworkOptions
from zenith_pipelines.models.lstm import LSTMConfig
from zenith_pipelines.models.training import Candidate, TrainingData, train_network
from zenith_pipelines.models.training_inputs import Progress


def train_gru(data: TrainingData, options: NetworkOptions, on_progress: Progress) -> Candidate:
    """Run the walk-forward study of the GRU, then train the model to serve."""
    return train_network("gru", data, LSTMConfig.of(options, cell="GRU"), on_progress)
