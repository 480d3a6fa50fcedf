"""Compare the weights of the least variance with skfolio's, on covariances of drawn returns.

skfolio is no dependency of Zenith: `pip install skfolio` beside it. `--json` prints JSON. Exit status 1 if a weight
differs by more than 1e-4, or a variance by more than a millionth.
"""

import argparse
import json
import sys
import warnings

import numpy as np

from zenith_core.backtesting.book_backtest import equal_weight, least_variance

SESSIONS = 600
WEIGHTS, VARIANCE = 1e-4, 1e-6
TOLERANCE = {"tol_gap_abs": 1e-14, "tol_gap_rel": 1e-14, "tol_feas": 1e-14}  # of skfolio's solver


def compare(books: int) -> dict[str, float]:
    """Return the largest differences over so many books of 3 to 39 tickers."""
    from skfolio.moments import EmpiricalCovariance
    from skfolio.optimization import EqualWeighted, MeanRisk
    from skfolio.prior import EmpiricalPrior

    worst = {"weights": 0.0, "variance": 0.0, "equal_weights": 0.0}
    for seed in range(books):
        generator = np.random.default_rng(seed)
        count = int(generator.integers(3, 40))
        own = generator.standard_normal((SESSIONS, count)) * generator.uniform(0.5, 3, count)
        returns = 0.01 * (generator.standard_normal((SESSIONS, 1)) + own)
        covariance = np.cov(returns.T)
        prior = EmpiricalPrior(covariance_estimator=EmpiricalCovariance())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a tolerance at the limit of its arithmetic
            other = MeanRisk(prior_estimator=prior, solver_params=TOLERANCE).fit(returns).weights_
        ours = least_variance(covariance)
        differences = {
            "weights": np.abs(ours - other).max(),
            "variance": abs(ours @ covariance @ ours / (other @ covariance @ other) - 1),
            "equal_weights": np.abs(equal_weight(returns) - EqualWeighted().fit(returns).weights_).max(),
        }
        worst = {name: max(value, float(differences[name])) for name, value in worst.items()}
    return worst


def main() -> int:
    """Print the largest differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=int, default=20, metavar="N", help="books (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the line")
    arguments = parser.parse_args()
    try:
        worst = compare(arguments.books)
    except ImportError:
        print("least_variance.py: skfolio is not installed: `pip install skfolio`", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(worst))
    else:
        print(
            f"{arguments.books} books: weights differ by at most {worst['weights']:.1g}, the variance by "
            f"{worst['variance']:.1g} of it, equal weights by {worst['equal_weights']:.1g}"
        )
    return int(worst["weights"] > WEIGHTS or worst["variance"] > VARIANCE)


if __name__ == "__main__":
    sys.exit(main())
