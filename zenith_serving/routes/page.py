"""The web page at `/` and Swagger UI at `/docs`, from files in zenith_core or in a package that this one depends on.

In the browser, both read from the API alone and contact no other server.
"""

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from zenith_core.names import PAGE_FILES

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # the browser revalidates each time, so an update shows at once
}


class PageFiles(StaticFiles):
    """The page's files, with HEADERS on each response."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, or 304 if the browser has it."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


files = PageFiles(directory=PAGE_FILES)
swagger_ui = PageFiles(packages=[("fastapi_offline", "static")])  # FastAPI's own /docs loads it from elsewhere
router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """Return the page."""
    return await files.get_response("index.html", request.scope)


@router.get("/reports/{ticker}")
async def report(request: Request) -> Response:
    """Return the page of a report, which draws the ticker in its own address from `GET /api/v1/ml/reports/{ticker}`."""
    return await files.get_response("report.html", request.scope)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Return Swagger UI: every route with its request and responses, to try out."""
    return await files.get_response("docs.html", request.scope)
