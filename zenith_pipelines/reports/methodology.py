"""Methodology of the report's figures: training data, shrinkage and calibration, trading rules."""

from collections.abc import Sequence

from zenith_pipelines.reports.formatting import NOTHING, chance, count, days, number, share, tiny
from zenith_pipelines.reports.tables import Figures, Row

_SERVED = "served"
BELIEVED_AT = (1, 5, 20)
"""Horizons, in sessions, at which the report shows the shrinkage factors."""


def trading_words(config: Figures) -> str:
    """Describe the trading rules of a backtest, from its settings (`BacktestConfig`)."""
    if not config:
        return NOTHING
    period, target = config.get("holding_period"), config["target_volatility"]
    parts = (
        f"commission {share(config['commission'], 2)} and slippage {share(config['slippage'], 2)} per side",
        "long or short" if config["allow_short"] else "long or in cash",
        f"sized for an annual volatility of {share(target)}" if target else "full capital",
        f"held at most {period} sessions after its last signal" if period else "held until the opposite signal",
    )
    return ", ".join(parts)


def price_fold_rows(study: Figures) -> list[Row]:
    """Each fold of the price model, then the model to be served: dates, rows and shrinkage factors of each part."""
    return [
        Row(
            name,
            [
                *(days(fold["train"]), days(fold["validation"]), days(fold["test"]), count(fold["train_rows"])),
                *(_believed(fold.get("shrinkage", {}).get(part)) for part in ("linear", "network")),
            ],
        )
        for name, fold in _folds(study)
    ]


def signal_fold_rows(study: Figures) -> list[Row]:
    """Each fold of the signal model, then the model to be served: dates, rows, calibration, and its test."""
    rows = []
    for name, fold in _folds(study):
        calibration = fold.get("calibration", {})
        learned = [*fold["train"][:1], *(fold["validation"] or fold["train"])[-1:]]  # nothing is stopped early
        figures = (
            *(days(learned), days(fold["test"]), count(fold["train_rows"]), count(calibration.get("rows"))),
            number(calibration.get("slope")),
            chance(calibration.get("information_p")),
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
    for words, key in tests:
        test = certificate[key]
        figures = (count(len(test["tested"])), count(test["values"]))
        rows.append(Row(words, [*figures, tiny(test["largest_difference"]), tiny(test["tolerance"])]))
    return rows


def _believed(factors: Sequence[float] | float | None) -> str:
    """Return the factors by horizon at BELIEVED_AT; models from before decision 0017 have one for all."""
    if not isinstance(factors, Sequence):
        return number(factors)
    return ", ".join(number(factors[horizon - 1]) for horizon in BELIEVED_AT if horizon <= len(factors))


def _folds(study: Figures) -> list[tuple[str, Figures]]:
    folds = [(str(number), fold) for number, fold in enumerate(study.get("folds", []), start=1)]
    return [*folds, (_SERVED, study["final"])] if "final" in study else folds
