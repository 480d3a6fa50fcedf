"""Every error Zenith raises on purpose.

A message is one line: the problem, where it is, and the remedy. `exit_code` is the exit code of a command that ends
with the error: 2 if the user can fix it, 1 otherwise.
"""


class ZenithError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1
    retryable = False


class UserError(ZenithError):
    """The request cannot be carried out; the message says how to correct it."""

    exit_code = 2


class InvalidTicker(UserError):
    """Text that is not a ticker, refused before it becomes a path, a partition, a URL or a model name."""


class RemovedTicker(ZenithError):
    """The ticker was removed while one of its runs was in progress."""


class InvalidPrices(UserError):
    """A price table that cannot be read: a missing column, an unreadable date, text where numbers belong."""


class TooShortHistory(ZenithError):
    """Fewer sessions than the warm-up, window and walk-forward folds of the model need."""


class SourceError(ZenithError):
    """A price source delivered no prices."""


class UnknownTicker(SourceError):
    """The source does not know the ticker."""

    exit_code = 2


class Delisted(SourceError):
    """The source knows the ticker and reports that it is no longer traded."""


class NoNewData(SourceError):
    """The source answered without a single session."""


class RateLimited(SourceError):
    """The source asked us to slow down (HTTP 429)."""

    retryable = True


class SourceUnavailable(SourceError):
    """The source cannot be reached, or answered with a server error."""

    retryable = True


class CorruptData(ZenithError):
    """A stored file does not match its checksum or cannot be decoded."""


class NotAvailable(ZenithError):
    """The requested dataset, snapshot or Production model does not exist yet."""

    exit_code = 2


class RunEnded(ZenithError):
    """A run tried to write after it had ended: marked as failed, canceled or failed."""


class StorageUnavailable(ZenithError):
    """The database that keeps runs and events does not answer."""

    retryable = True


class TrainingError(ZenithError):
    """A model could not be trained or did not survive its checks."""


class NonFiniteInput(TrainingError):
    """NaN or infinity in data that a model would train or predict on silently."""


class ParityError(TrainingError):
    """The outputs of the exported ONNX model differ from those of the trained model."""


def errors_by_name() -> dict[str, type[ZenithError]]:
    """Return every error class raised on purpose, by the name that a run's log records."""
    pending: list[type[ZenithError]] = [ZenithError]
    classes: dict[str, type[ZenithError]] = {"StorageAway": StorageUnavailable}  # its name in the logs of 0.1.0
    while pending:
        cls = pending.pop()
        classes[cls.__name__] = cls
        pending.extend(cls.__subclasses__())
    return classes
