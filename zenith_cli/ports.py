"""A port that is asked for must be free; a busy one is named before anything is started on it."""

import socket

from zenith_core.errors import UserError


def require_free_port(host: str, port: int) -> None:
    """Raise UserError unless `host:port` can be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(f"cannot listen on {host}:{port} ({error.strerror}): choose another with --port") from None
