"""The service's log on stderr: a JSON object per line, or readable lines at a terminal.

The line of a request has its route, never its address, query, headers or body. Tracebacks have no values of variables.
"""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import structlog
from starlette.types import Scope
from structlog.types import EventDict, Processor

from zenith_serving.request_id import RequestRecord, request_id
from zenith_serving.security.authentication import open_keys
from zenith_serving.security.client_identity import caller_of
from zenith_serving.settings import Settings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
QUIET_PATHS = ("/health", "/metrics")  # machines request them every few seconds


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Give every logger of this process, uvicorn's included, one format on stderr."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings, stream)],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_add_context()],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # they have handlers of their own
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate, logger.level = [], True, logging.NOTSET
    for name in ("httpx", "httpcore"):  # they log addresses and client data
        logging.getLogger(name).setLevel(logging.ERROR)


class RequestLog:
    """Writes a line for each request.

    The JSON is formatted here: structlog takes five times as long, a tenth of the time of a cached prediction. Only the
    route needs escaping; all other values consist of safe characters.
    """

    def __init__(self, settings: Settings, stream: TextIO | None = None) -> None:
        self._keys = open_keys(settings)
        self._stream = stream or sys.stderr
        self._lowest_level = logging.getLevelName(settings.log_level.upper())
        self._console: structlog.typing.FilteringBoundLogger | None = None
        if _is_console(settings, self._stream):
            processors = [*_add_context(), *_rendering(settings, self._stream)]
            self._console = structlog.wrap_logger(structlog.WriteLogger(self._stream), processors=processors).bind()

    def request(self, record: RequestRecord, scope: Scope) -> None:
        """Log a request: as a warning if the service failed, as debug if it is a health check, else as info."""
        level = "warning" if record.status >= 500 else "debug" if record.route in QUIET_PATHS else "info"
        if _LEVELS[level] < self._lowest_level:
            return
        client = caller_of(scope, self._keys).kind
        try:
            if self._console:
                facts = {"method": record.method, "route": record.route, "status": record.status, "client": client}
                getattr(self._console, level)("request", **facts, ms=round(1000 * record.seconds, 2))
            else:
                self._stream.write(_line(record, level, client))
                self._stream.flush()
        except OSError:  # a closed stderr must not fail a request
            return


def _line(record: RequestRecord, level: str, client: str) -> str:
    return (
        f'{{"event": "request", "method": "{record.method}", "route": {_json_string(record.route)}, '
        f'"status": {record.status}, "ms": {1000 * record.seconds:.2f}, "client": "{client}", '
        f'"request_id": "{request_id.get()}", "level": "{level}", '
        f'"timestamp": "{_timestamp(time.time())}Z"}}\n'
    )


def _timestamp(now: float) -> str:
    """Return seconds since the epoch as ISO time in UTC: the part that requests of a second share is formatted once."""
    return f"{_whole_second(int(now))}.{int(now % 1 * 1e6):06}"


@lru_cache(maxsize=1)
def _whole_second(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat()[:-6]


_json_string = lru_cache(maxsize=1024)(json.dumps)


def _add_context() -> list[Processor]:
    return [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), _add_request_id]


def _add_request_id(_: Any, __: str, event: EventDict) -> EventDict:
    if current_id := request_id.get():
        event["request_id"] = current_id
    return event


def _rendering(settings: Settings, stream: TextIO) -> list[Processor]:
    """Render without values of local variables, unlike rich's tracebacks and structlog's dictionaries."""
    if _is_console(settings, stream):
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _is_console(settings: Settings, stream: TextIO) -> bool:
    return settings.log_format == "console" or (settings.log_format == "auto" and stream.isatty())
