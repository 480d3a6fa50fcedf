"""Every error Zenith raises on purpose.

A message is one line: what is wrong, where, and what would be right. `exit_code` is what a command
that meets the error exits with: 2 for something the user can put right, 1 for the rest.
"""


class ZenithError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1
    retryable = False


class UserError(ZenithError):
    """The request cannot be carried out as asked; the message says what would be right."""

    exit_code = 2


class InvalidTicker(UserError):
    """Text that is not a ticker, refused before it becomes a path, a partition, a URL or a model name."""


class RemovedTicker(ZenithError):
    """The ticker was removed while a run was under way for it."""


class InvalidPrices(UserError):
    """A price table that cannot be read: a missing column, an unreadable date, text where numbers belong."""


class TooShortHistory(ZenithError):
    """Fewer sessions than the model's warm-up, window and walk-forward folds need."""


class SourceError(ZenithError):
    """A price source did not deliver."""


class UnknownTicker(SourceError):
    """The source does not know the ticker."""

    exit_code = 2


class Delisted(SourceError):
    """The source knows the ticker, and says it is traded no more."""


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
    """Something asked for has not been made yet: a dataset, a snapshot, a Production model."""

    exit_code = 2


class RunEnded(ZenithError):
    """A run wants to write that was ended meanwhile: buried, canceled or failed."""


class StorageUnavailable(ZenithError):
    """The database that keeps runs and events does not answer."""

    retryable = True


class TrainingError(ZenithError):
    """A model could not be trained or did not survive its checks."""


class NonFiniteInput(TrainingError):
    """NaN or infinity where a model would train or predict on it without a word."""


class ParityError(TrainingError):
    """The exported ONNX model does not answer as the trained model does."""


def errors_by_name() -> dict[str, type[ZenithError]]:
    """Every class of error that is raised on purpose, by name."""
    pending, found = [ZenithError], {}
    while pending:
        cls = pending.pop()
        found[cls.__name__] = cls
        pending.extend(cls.__subclasses__())
    return found
