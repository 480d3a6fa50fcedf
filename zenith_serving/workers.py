"""Several processes that answer, kept alive by uvicorn."""

from uvicorn.supervisors import Multiprocess

from zenith_serving.shared_metrics import forget_worker


class Workers(Multiprocess):
    """Uvicorn's supervisor, which tells the metrics of each worker that it has replaced."""

    def keep_subprocess_alive(self) -> None:
        """See the base class."""
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            if pid is not None:
                forget_worker(pid)
