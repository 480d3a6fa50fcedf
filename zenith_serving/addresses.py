"""Names and addresses of hosts. Nothing heavy is imported here: `zenith serve` asks before it loads anything."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
