"""A real `zenith serve` in a process of its own, and a load that does not stop while a test does something to it."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx

from tests.waiting import PATIENCE, wait_until

ZENITH = Path(sys.executable).with_name("zenith")
PRICE = "/api/v1/ml/predict/price"


class Served:
    """Ready when made. Its log is kept for `log`."""

    def __init__(self, home, *options, **environment):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        surroundings = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "MODELS_PATH")}
        self._log = home / "serve.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                # Where the tests are a background job of a shell, SIGINT is ignored, and that is inherited.
                ["env", "--default-signal=INT", ZENITH, "serve", "--port", str(self.port), *options],
                env={**surroundings, "ZENITH_HOME": str(home), **environment},
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._is_ready)
        except BaseException:
            self.close()
            raise

    def price(self, ticker="AAPL", **more):
        return httpx.post(self.url + PRICE, json={"ticker": ticker, **more}, timeout=PATIENCE).json()

    def stop(self, signal_number=signal.SIGTERM):
        """The exit status. Nothing of it is left."""
        self.process.send_signal(signal_number)
        status = self.process.wait(timeout=PATIENCE)
        wait_until(lambda: processes_of_group(self.process.pid) == [])  # multiprocessing's own tracker ends last
        return status

    def log(self):
        return self._log.read_text()

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _is_ready(self):
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health", timeout=PATIENCE).json()["ready"]
        return False


class Load:
    """So many clients that ask for a price again and again, on connections that they keep, until told to stop.

    statuses:  how many answers had which status
    answers:   the documents of those with 200, in the order in which they came
    refused:   how many connections could not be made, or were closed before a request was sent on them
    broken:    requests that got no answer, or half of one
    """

    def __init__(self, url, clients=8, **asked):
        self.url, self.clients, self.asked = url, clients, {"ticker": "AAPL", **asked}
        self.statuses, self.answers, self.refused, self.broken = Counter(), [], 0, []
        self.is_over = False

    async def run(self):
        await asyncio.gather(*(self._client() for _ in range(self.clients)))

    async def _client(self):
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE) as client:
            while not self.is_over:
                try:
                    answer = await client.post(PRICE, json=self.asked)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    self.refused += 1
                    return
                except httpx.TransportError as error:
                    self.broken.append(repr(error))
                    return
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    self.answers.append(answer.json())


def processes_of_group(group):
    """The pids of living processes (Linux)."""
    pids = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, _, its_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                pids.append(int(folder.name))
    return pids
