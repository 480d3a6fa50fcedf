"""The service on a real port, in a thread, as tests of clients need it."""

import socket
import threading
from contextlib import contextmanager

import uvicorn

from tests.waiting import PATIENCE
from zenith_serving.app import create_app


def live_service(settings):
    """The address of a service over `settings`, up and running."""
    return live_app(create_app(settings))


@contextmanager
def live_app(app):
    """The address of an application, up and running."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    has_started = threading.Event()

    async def startup(sockets=None):
        await uvicorn.Server.startup(server, sockets)
        has_started.set()

    server.startup = startup
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert has_started.wait(PATIENCE)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
