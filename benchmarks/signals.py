"""What the signal model finds in simulated markets: a planted edge, or nothing. Seeds from 501 on are for tuning.

python benchmarks/signals.py 501 502 503
"""

import sys
import time

import pandas as pd

from zenith_core.abstention import traded
from zenith_core.backtest import backtest
from zenith_core.features import features
from zenith_pipelines.models.ensemble import EnsembleConfig
from zenith_pipelines.models.inputs import silent
from zenith_pipelines.sources.simulated import SimulatedSource
from zenith_pipelines.training import Lineage, TrainingData, train_ensemble

CONFIG = EnsembleConfig()


def measure(ticker: str) -> dict[str, float | None]:
    """One study's figures; `sharpe` and `exposure` are of trading its signals long or flat, after costs."""
    raw = SimulatedSource().fetch(ticker).prices
    prices = raw.set_index("date") if "date" in raw else raw
    table = features(prices[["open", "high", "low", "close", "volume"]])
    data = TrainingData(table, pd.Series(True, index=table.index), (), Lineage(ticker, "", "", "", ""))
    start = time.process_time()
    candidate = train_ensemble(data, CONFIG, silent)
    seconds = time.process_time() - start
    signals, metrics = candidate.evidence, candidate.metrics
    position = pd.Series(traded(signals["signal"], CONFIG.horizon), index=signals["date"])
    stats = backtest(prices, position.replace("flat", "sell")).stats["strategy"]
    chosen = {name: metrics[name] for name in ("skill", "p_value", "ece", "ece_classwise", "signalled")}
    sizes = {"megabytes": len(candidate.onnx) / 1e6, "seconds": seconds}
    return chosen | {name: stats[name] for name in ("sharpe", "exposure")} | sizes


def main() -> None:
    """Measure each seed of both markets, and print every row and what they come to."""
    for kind in ("EDGE", "NOISE"):
        rows = {f"SIM-{kind}-{seed}": measure(f"SIM-{kind}-{seed}") for seed in sys.argv[1:]}
        figures = pd.DataFrame.from_dict(rows, orient="index").astype(float)
        found = (figures["p_value"] < 0.05) & (figures["skill"] > 0)
        print(figures.round(3).to_string(), f"\nmean\n{figures.fillna(0).mean().round(4).to_string()}")
        print(f"skill claimed in {found.sum()} of {len(found)} {kind} markets\n", flush=True)


if __name__ == "__main__":
    main()
