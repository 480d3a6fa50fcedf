"""Bind a socket and run the REST service on it."""

import errno
import gc
import logging
import os
import socket
from threading import Thread
from typing import TYPE_CHECKING, Any

from zenith_core.errors import UserError
from zenith_core.same_site import is_loopback
from zenith_serving.settings import Settings, read_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE_SECONDS = 10  # for active requests at shutdown
_BACKLOG = 2048
_GC_THRESHOLD = 10_000  # new objects before Python's garbage collector runs; 700 by default
_HIGHEST_PORT = 65_535
_FIRST_ROWS = 50  # of the page's table of all tickers: overview.js


def serve(host: str, port: int, settings: Settings, workers: int = 1) -> None:
    """Serve until SIGINT or SIGTERM. Raises UserError if the address cannot be bound, before anything is loaded.

    Several workers are processes that share the socket and, with `REDIS_URL`, a Redis. A worker that dies is replaced.
    Workers read their settings from the environment, not from `settings`.
    """
    from zenith_serving.observability.logs import configure_logging

    require_keys_beyond_loopback(host, settings)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its threads wait busily for one another
    with bind(host, port) as listener:
        configure_logging(settings)
        logging.getLogger("uvicorn.error").info(
            "Zenith answers on http://%s:%d, its documentation on /docs", host, port
        )
        if workers > 1:
            _serve_in_processes(listener, settings, workers)
        else:
            _serve_here(listener, settings)


def options() -> dict[str, Any]:
    """Return uvicorn's options; benchmarks/serving.py uses them for its peers too."""
    from zenith_serving.http_protocol import BoundedProtocol

    return {
        "http": BoundedProtocol,
        "ws": "none",  # saves loading the websocket library
        "server_header": False,
        "log_config": None,
        "access_log": False,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }


def app_of_environment() -> "FastAPI":
    """Make the application of a worker process."""
    from zenith_serving.observability.logs import configure_logging

    settings = read_settings()
    configure_logging(settings)
    return _app(settings)


def _serve_here(listener: socket.socket, settings: Settings) -> None:
    import uvicorn

    uvicorn.Server(uvicorn.Config(_app(settings), **options())).run(sockets=[listener])


def _app(settings: Settings) -> "FastAPI":
    """Make the application, keep the garbage collector from scanning its objects every few thousand requests, and
    compute what the page shows first.
    """
    from zenith_serving.app import create_app
    from zenith_serving.observability.logs import RequestLog

    app = create_app(settings, RequestLog(settings))
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    Thread(target=app.state.predictor.compute_first, args=(_FIRST_ROWS,), name="zenith-first", daemon=True).start()
    return app


def _serve_in_processes(listener: socket.socket, settings: Settings, workers: int) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from zenith_serving.observability.multiprocess_metrics import shared_metrics
    from zenith_serving.prediction.predictor import make_predictor

    make_predictor(settings)  # an invalid setting is one line here, not a traceback in each worker
    app = f"{__name__}:{app_of_environment.__name__}"
    with shared_metrics():
        Multiprocess(uvicorn.Config(app, factory=True, workers=workers, **options()), sockets=[listener]).run()


def require_keys_beyond_loopback(host: str, settings: Settings) -> None:
    """Raise UserError if other machines could reach the service and no API key is set."""
    has_keys = settings.zenith_api_keys or settings.zenith_read_only_keys
    if not has_keys and not is_loopback(host):
        raise UserError(f"{host} can be reached by others: set ZENITH_API_KEYS first, or listen on 127.0.0.1")


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address. Raises UserError with a remedy if it cannot be bound."""
    if not 0 <= port <= _HIGHEST_PORT:  # getaddrinfo would use it modulo 65536
        raise UserError(f"there is no port {port}: choose one from 1 to {_HIGHEST_PORT} with --port")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError:
        raise UserError(f"{host} is not an address to listen on: --host 127.0.0.1 is this machine") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise UserError(_bind_problem(host, port, error)) from None
    return listener


def _bind_problem(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is busy: stop the program that listens there, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} needs administrator rights: choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: choose another with --host"
    return f"cannot listen on port {port} of {host} ({error.strerror}): choose another with --port or --host"
