"""What Prometheus reads. In a thread, since it may read snapshots and the files of other workers."""

from fastapi import APIRouter, Request, Response

from zenith_serving.observability.metrics import CONTENT_TYPE, Metrics

router = APIRouter(tags=["operations"])


class MetricsText(Response):
    """Prometheus' text format."""

    media_type = CONTENT_TYPE


@router.get("/metrics", response_class=MetricsText)
def metrics(request: Request) -> MetricsText:
    """Requests, predictions, models and the age of the data, for Prometheus."""
    counted: Metrics = request.app.state.metrics
    return MetricsText(counted.text())
