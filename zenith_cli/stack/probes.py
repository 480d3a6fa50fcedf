"""Ask a server whether it is ready."""

import socket
import urllib.error
import urllib.request


def fetch(url: str, body: bytes | None = None) -> bytes | None:
    """Return the body of a response with status 200, else None."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            content: bytes = response.read()
            return content
    except (OSError, urllib.error.URLError, ValueError):
        return None


def listens(address: tuple[str, int] | str) -> bool:
    """Return True if a process accepts connections at a host and port, or at the path of a socket."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex(address) == 0
