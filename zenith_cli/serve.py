"""`zenith serve`: the REST service."""

from typing import Annotated

import typer


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Start the REST service on the models in Production; /docs describes it."""
    from zenith_serving.serve import serve as serve_http
    from zenith_serving.settings import Settings

    serve_http(host, port, Settings())
