"""An MLflow server at the edge of the network: it answers as MLflow 3 does, or with nonsense, or hardly at all."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

API = "/api/2.0/"
NONSENSE = {
    "list": b"HTTP/1.0 200 OK\r\n\r\n[]",
    "null": b"HTTP/1.0 200 OK\r\n\r\nnull",
    "page": b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Welcome</html>",
    "cut": b'HTTP/1.0 200 OK\r\nContent-Length: 5000\r\n\r\n{"registered_models": [{"na',
    "cut headers": b"HTTP/1.0 200 OK\r\nContent-Le",
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": b"",
    "error": b"HTTP/1.0 500 Internal Server Error\r\n\r\n{}",
    "no name": b"HTTP/1.0 200 OK\r\n\r\n"
    b'{"registered_models": [{"aliases": [{"alias": "Production", "version": "1"}]}]}',
    "no number": b"HTTP/1.0 200 OK\r\n\r\n"
    b'{"registered_models": [{"name": "lstm-AAPL", "aliases": [{"alias": "Production", "version": "one"}]}]}',
    "no list": b'HTTP/1.0 200 OK\r\n\r\n{"registered_models": 7}',
    "deep": b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100_000,
    "same page": b'HTTP/1.0 200 OK\r\n\r\n{"registered_models": [], "next_page_token": "again"}',
}
SLOW = {"drip": b"HTTP/1.0 200 OK\r\nContent-Length: 5000\r\n\r\n{", "drip headers": b"HTTP/1.0 200 OK\r\nX-Slow: "}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        mode = self.server.mode
        if mode in NONSENSE:
            self.wfile.write(NONSENSE[mode])
        elif mode in SLOW:
            self._drip(SLOW[mode])
        else:
            self._answer()

    def _drip(self, start):
        """One byte after the other, until the client hangs up or the server stops."""
        try:
            self.wfile.write(start)
            while not self.server.stopped.wait(self.server.seconds_per_byte):
                self.wfile.write(b" ")
                self.wfile.flush()
        except OSError:
            self.server.hung_up.set()

    def _answer(self):
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        path, models = url.path.removeprefix(API), self.server.models
        if path == "mlflow/registered-models/search":
            aliases = {name: [{"alias": "Production", "version": str(len(all))}] for name, all in models.items()}
            self._json({"registered_models": [{"name": name, "aliases": one} for name, one in aliases.items()]})
        elif path == "mlflow/model-versions/get-download-uri":
            self._json({"artifact_uri": f"mlflow-artifacts:/{query['name']}/{query['version']}"})
        elif path == "mlflow/model-versions/get":
            checksum = hashlib.sha256(models[query["name"]][int(query["version"]) - 1]).hexdigest()
            self._json({"model_version": {"tags": [{"key": "sha256", "value": checksum}]}})
        else:
            name, version, _ = path.removeprefix("mlflow-artifacts/artifacts/").split("/")
            self._send(self.server.damage(models[name][int(version) - 1]))

    def _json(self, document):
        self._send(json.dumps(document).encode())

    def _send(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def bad_registry(models=None):
    """Yield the server. `mode` chooses its answers; `models` has the versions of each name, the last in Production."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    server.mode, server.models, server.damage = "ok", models or {}, bytes
    server.seconds_per_byte, server.stopped, server.hung_up = 0.05, threading.Event(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()
