"""Making the serving processes forget their cached answers.

Nothing is searched or deleted. The answers belong to a generation (zenith_core/names.py); a new one leaves those
before it unreachable, and serving sees it within its poll of 2 s. Old answers in Redis go when their time is up.
"""

from datetime import UTC, datetime

from zenith_core.errors import UserError
from zenith_core.names import CACHE_GENERATION_FILE, CACHE_GENERATION_KEY
from zenith_pipelines.datasets.atomic_files import write_atomically
from zenith_pipelines.settings import Settings, prepare_home

_TIMEOUT_SECONDS = 5.0


def clear_predictions(settings: Settings) -> str:
    """Begin a new generation, in Redis if there is one and for caches in a process's memory; return its name.

    Raises UserError if Redis is named and cannot be reached: then the answers in it live on.
    """
    generation = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")  # never one that was there before
    write_atomically(prepare_home(settings) / CACHE_GENERATION_FILE, generation.encode())
    if settings.redis_url is not None:
        _tell_redis(settings.redis_url.get_secret_value(), generation)
    return generation


def _tell_redis(url: str, generation: str) -> None:
    from redis import Redis, RedisError

    try:
        with Redis.from_url(url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS) as redis:
            redis.set(CACHE_GENERATION_KEY, generation)
    except (RedisError, ValueError) as error:
        raise UserError(f"REDIS_URL cannot be reached ({type(error).__name__}): its cached answers stay") from None
