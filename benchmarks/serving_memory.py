"""Resident memory of `zenith serve` after each trained ticker was asked for its price and its signal. Linux only."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

BAR = 250  # MB


def main() -> None:
    """Start the service on ZENITH_HOME, ask it, print what it weighs."""
    from zenith_pipelines.settings import Settings

    tickers = sorted(path.name for path in (Settings().home / "data" / "serving_snapshot").iterdir())
    port = _free_port()
    zenith = Path(sys.executable).with_name("zenith")
    started = time.perf_counter()
    server = subprocess.Popen([zenith, "serve", "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        ready = time.perf_counter() - started
        for ticker in tickers:
            _post(port, "price", {"ticker": ticker, "use_cache": False})
            _post(port, "signal", {"ticker": ticker, "use_cache": False})
        print(f"ready after {ready:.1f} s; {len(tickers)} tickers, {_resident_mb(server.pid):.0f} MB (bar: {BAR} MB)")
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("zenith serve did not start within 30 s")


def _post(port: int, what: str, body: dict[str, object]) -> None:
    url = f"http://127.0.0.1:{port}/api/v1/ml/predict/{what}"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=10).read()


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("VmRSS not found")


if __name__ == "__main__":
    main()
