"""Make the reference page of the endpoints from the service's OpenAPI document."""

from typing import Any

from docs.markdown import default, page, table

_INTRO = (
    "The endpoints of `/openapi.json`. ● needs a key if API keys are set. Examples are in "
    "[the guide](../rest-api.md), errors in [the runbook](../runbook.md#errors-of-the-service)."
)


def endpoints_page(document: dict[str, Any]) -> str:
    """Return a page with every endpoint and every object."""
    parts, tag = [], ""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation["tags"][0] != tag:
                tag = operation["tags"][0]
                parts.append(f"## {tag.capitalize()}")
            parts += _endpoint(f"{method.upper()} {path}", operation)
    parts.append("## Objects")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts += [f"### {name}", _sentence(schema), _fields(schema)]
    return page("Endpoints", _INTRO, *parts)


def _endpoint(title: str, operation: dict[str, Any]) -> list[str]:
    needs_key = " ●" if operation.get("security") else ""
    return [f"### `{title}`{needs_key}", _sentence(operation), *_request(operation), _response(operation)]


def _request(operation: dict[str, Any]) -> list[str]:
    rows = [
        (f"`{item['name']}`", f"in the {item['in']}", _type(item["schema"]), item.get("description", ""))
        for item in operation.get("parameters", ())
    ]
    parts = [table(("parameter", "where", "type", "meaning"), rows)]
    if body := operation.get("requestBody"):
        schema = body["content"]["application/json"]["schema"]
        is_reference = "properties" not in schema
        parts += [
            f"Request body: {_type(schema)}, as JSON." if is_reference else "Request body, as JSON:",
            _fields(schema),
        ]
    return parts


def _response(operation: dict[str, Any]) -> str:
    (status, response), *errors = operation["responses"].items()
    content = next(iter(response.get("content", {}).values()), {})
    body = f": {_type(content['schema'])}" if content.get("schema") else ""
    return f"Response {status}{body}. Errors: {', '.join(sorted(code for code, _ in errors))}."


def _fields(schema: dict[str, Any]) -> str:
    rows = [
        (f"`{name}`", _type(field), default(field.get("default")), field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]
    return table(("field", "type", "default", "meaning"), rows)


def _type(schema: dict[str, Any]) -> str:
    """Describe the type of a JSON schema in words."""
    if ref := schema.get("$ref"):
        name = ref.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if options := schema.get("anyOf"):
        return " or ".join(_type(option) for option in options)
    if values := schema.get("enum") or ([schema["const"]] if "const" in schema else None):
        return ", ".join(f"`{value}`" for value in values)
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(values := schema.get("additionalProperties"), dict):
        return f"map to {_type(values)}"
    low, high = schema.get("minimum"), schema.get("maximum")
    span = f", {low:g} to {high:g}" if low is not None and high is not None else ""
    return str(schema.get("format", kind)) + span


def _sentence(schema: dict[str, Any]) -> str:
    return " ".join(schema.get("description", "").split())
