"""Names that the pipelines and the service must spell alike."""

from typing import Literal

PRODUCTION = "Production"
"""The registry's alias of the version that serving answers from."""

CANDIDATE = "Candidate"
"""The registry's alias of the newest version, promoted or not."""

Kind = Literal["lstm", "ensemble"]
KINDS: tuple[Kind, ...] = ("lstm", "ensemble")


def model_name(kind: str, ticker: str) -> str:
    """The registered model's name for a validated ticker."""
    return f"{kind}-{ticker}"


CACHE_GENERATION_KEY = "zenith:generation"
"""The Redis key, and under ZENITH_HOME the file, of the generation of cached answers; another one forgets them all."""

CACHE_GENERATION_FILE = "cache-generation"

DELISTED = "delisted"
"""The dataset, facts only, of a ticker whose source says that it is traded no more; there is none for the others."""
