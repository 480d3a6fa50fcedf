"""Start a new cache generation, so that serving processes forget their cached answers.

Nothing is searched or deleted. Each cached answer belongs to a generation (zenith_core/names.py). A new generation
makes older answers unreachable; serving polls for it every 2 s. Old answers in Redis expire by themselves.
"""

from datetime import UTC, datetime

from zenith_core.errors import UserError
from zenith_core.names import CACHE_GENERATION_FILE, CACHE_GENERATION_KEY
from zenith_pipelines.datasets.atomic_files import write_atomically
from zenith_pipelines.patience import waiting_for
from zenith_pipelines.settings import Settings, prepare_home

_TIMEOUT_SECONDS = 5.0


def clear_predictions(settings: Settings) -> str:
    """Start a new generation for in-process caches and, if configured, for Redis; return its name.

    Raises UserError if Redis is configured and cannot be reached: its answers then stay valid.
    """
    generation = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")  # unique, so that no old answer becomes valid again
    write_atomically(prepare_home(settings) / CACHE_GENERATION_FILE, generation.encode())
    if settings.redis_url is not None:
        _set_in_redis(settings.redis_url.get_secret_value(), generation)
    return generation


def _set_in_redis(url: str, generation: str) -> None:
    from redis import Redis, RedisError

    try:
        with (
            waiting_for("REDIS_URL"),
            Redis.from_url(url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS) as redis,
        ):
            redis.set(CACHE_GENERATION_KEY, generation)
    except (ValueError, TypeError, AttributeError):
        raise UserError("REDIS_URL is not valid: it must look like redis://user:password@host:port/0") from None
    except RedisError as error:
        raise UserError(
            f"REDIS_URL cannot be reached ({type(error).__name__}): its cached answers stay valid"
        ) from None
