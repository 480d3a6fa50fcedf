"""Methodology of the report's figures: training data, shrinkage and calibration, trading rules."""

from collections.abc import Sequence

from zenith_pipelines.reports.formatting import NOTHING, count, date_range, magnitude, number, p_value, percent
from zenith_pipelines.reports.tables import Figures, Row

_SERVED = "served"
SHRINKAGE_HORIZONS = (1, 5, 20)
"""Horizons, in sessions, at which the report shows the shrinkage factors."""


def trading_rules(config: Figures) -> str:
    """Describe the trading rules of a backtest, from its settings (`BacktestConfig`)."""
    if not config:
        return NOTHING
    period, target = config.get("holding_period"), config["target_volatility"]
    parts = (
        f"commission {percent(config['commission'], 2)} and slippage {percent(config['slippage'], 2)} per side",
        "long or short" if config["allow_short"] else "long or in cash",
        f"sized for an annual volatility of {percent(target)}" if target else "full capital",
        f"held at most {period} sessions after its last signal" if period else "held until the opposite signal",
    )
    return ", ".join(parts)


def price_fold_rows(study: Figures) -> list[Row]:
    """Return a row per fold of the price model, then one for the final model: dates, rows and shrinkage factors."""
    return [
        Row(
            name,
            [
                *(date_range(fold[part]) for part in ("train", "validation", "test")),
                count(fold["train_rows"]),
                *(_shrinkage_text(fold.get("shrinkage", {}).get(part)) for part in ("linear", "network")),
            ],
        )
        for name, fold in _folds(study)
    ]


def signal_fold_rows(study: Figures) -> list[Row]:
    """Return a row per fold of the signal model, then one for the final model: dates, rows and calibration."""
    rows = []
    for name, fold in _folds(study):
        calibration = fold.get("calibration", {})
        training = [*fold["train"][:1], *(fold["validation"] or fold["train"])[-1:]]  # there is no early stopping
        figures = (
            *(date_range(training), date_range(fold["test"])),
            *(count(fold["train_rows"]), count(calibration.get("rows"))),
            number(calibration.get("slope")),
            p_value(calibration.get("direction_p")),
            {True: "yes", False: "no", None: NOTHING}[calibration.get("proven")],
        )
        rows.append(Row(name, figures))
    return rows


def leakage_rows(certificate: Figures) -> list[Row]:
    """Return the comparisons of the leakage certificate and their results."""
    tests = (
        ("Cut short: later sessions removed", "prefixes"),
        ("Begun late: earliest sessions removed", "late_starts"),
    )
    rows = []
    for label, key in tests:
        test = certificate[key]
        figures = (count(len(test["tested"])), count(test["values"]))
        rows.append(Row(label, [*figures, magnitude(test["largest_difference"]), magnitude(test["tolerance"])]))
    return rows


def _shrinkage_text(factors: Sequence[float] | float | None) -> str:
    """Format the factors at SHRINKAGE_HORIZONS; models from before decision 0017 have one for all horizons."""
    if not isinstance(factors, Sequence):
        return number(factors)
    return ", ".join(number(factors[horizon - 1]) for horizon in SHRINKAGE_HORIZONS if horizon <= len(factors))


def _folds(study: Figures) -> list[tuple[str, Figures]]:
    folds = [(str(number), fold) for number, fold in enumerate(study.get("folds", []), start=1)]
    return [*folds, (_SERVED, study["final"])] if "final" in study else folds
