"""The one-line reason and the exit code of a failed run, and whether a database was unavailable."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zenith_core.errors import StorageUnavailable, UserError, errors_by_name
from zenith_core.outages import describe_outage

if TYPE_CHECKING:
    import dagster as dg
    from dagster_shared.error import SerializableErrorInfo

# Classes that SQLAlchemy, dagster-postgres and this project raise when Dagster's or MLflow's database does not answer.
_OUTAGES = {"OperationalError", "DagsterPostgresException", "StorageUnavailable"}
_PRICES = ("raw_prices", "cleaned_prices")


def is_unavailable(error: Exception) -> bool:
    """Return True if the database of runs and events did not answer, which may pass in a moment."""
    from dagster_postgres.utils import DagsterPostgresException
    from sqlalchemy.exc import OperationalError

    return isinstance(error, StorageUnavailable | DagsterPostgresException | OperationalError)


def failed_in_outage(result: "dg.ExecuteInProcessResult") -> bool:
    """Return True if a failure in the run was raised from an error of a database that did not answer."""
    for event in result.all_events:
        error = _error_of(event)
        while error:
            if error.cls_name in _OUTAGES:
                return True
            error = error.cause
    return False


def failure_of(result: "dg.ExecuteInProcessResult") -> tuple[str, int]:
    """Return the one-line reason of a failed run and its exit code.

    A check of prices that came from somebody's file has the exit code of a mistake that its user can fix.
    """
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.blocking and check.severity.value == "ERROR":
            asset = check.asset_key.to_user_string()
            is_of_file = asset in _PRICES and _from_file(result)
            reason = f"{asset}: check {check.check_name}: {check.description}"
            return reason, UserError.exit_code if is_of_file else 1
    for event in result.all_events:
        if event.event_type_value == "STEP_FAILURE":
            reason, exit_code = reason_of(_error_of(event))
            return f"{event.step_key}: {reason}", exit_code
        if event.event_type_value == "PIPELINE_FAILURE":
            return reason_of(_error_of(event))
    return "the run ended without a reason", 1


def reason_of(error: "SerializableErrorInfo | None") -> tuple[str, int]:
    """Return the message and exit code of the first error in the chain that was raised on purpose.

    Its causes explain the failure to developers only.
    """
    exit_codes, message, outage = errors_by_name(), "no reason recorded", None
    while error:
        message = " ".join(error.message.split())
        if error.cls_name in exit_codes:
            return message.partition(": ")[2], exit_codes[error.cls_name].exit_code
        if error.cls_name == "ValidationError" and (option := _refused_option(error.message)):
            return f"run config: {option}", UserError.exit_code
        outage = outage or describe_outage(error.cls_name or "", error.message)
        error = error.cause
    return outage or message, 1


def _refused_option(message: str) -> str | None:
    """Return the option that pydantic refused and why, from the text of its error; None for another error's text."""
    lines = message.splitlines()
    if len(lines) < 3 or "validation error" not in lines[0]:
        return None
    return f"{lines[1].strip()}: {lines[2].partition(' [type=')[0].strip()}"


def reason_of_end(messages: Iterable[str]) -> str | None:
    """Return why the process of a run ended, by the messages that Dagster's engine logged; None if they do not say."""
    return next((reason for message in messages if (reason := describe_outage("", message))), None)


def _from_file(result: "dg.ExecuteInProcessResult") -> bool:
    """Return True if the run fetched its prices from a folder of files."""
    return any(
        event.step_key == "raw_prices" and "folder" in event.materialization.metadata
        for event in result.get_asset_materialization_events()
    )


def _error_of(event: "dg.DagsterEvent") -> "SerializableErrorInfo | None":
    if event.event_type_value == "STEP_FAILURE":
        return event.step_failure_data.error
    if event.event_type_value == "PIPELINE_FAILURE":
        return event.job_failure_data.error
    return None
