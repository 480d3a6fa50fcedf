"""Tell a request of a program or of this site's own pages from one that another web page caused.

A browser names the page's site in `Origin` (with every request but GET and HEAD) and in `Sec-Fetch-Site`; programs send
neither. `Host` is the name that the browser looked up: a foreign name that leads here is DNS rebinding.
"""

import ipaddress
from urllib.parse import urlsplit

_OWN_SITE = ("", "none", "same-origin")  # Sec-Fetch-Site of requests that no other site caused


def is_loopback(host: str) -> bool:
    """Return True if a host name or address is a loopback one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_name(header: str) -> str:
    """Return the name or address in a Host header, in lower case and without its port; empty if it has none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def is_from_other_site(host: str, origin: str, fetch_site: str) -> bool:
    """Return True if these headers (empty if missing) say that a page of another origin sent the request."""
    return bool(origin and origin.partition("://")[2] != host) or fetch_site not in _OWN_SITE
