"""The OpenAPI document of a service, made of the io.schema.json of each package."""

from importlib.metadata import version
from typing import Any

from stagewise.serving.decode import BINARY, FIELD, FORM, JSON, MAX_TOP
from stagewise.serving.models import Deployment
from stagewise.serving.problems import KINDS, MEDIA_TYPE
from stagewise.serving.service import Service

Object = dict[str, Any]

_PREDICT = (400, 401, 408, 413, 415, 421, 422, 429, 431, 500, 503)
_READ = (401, 421, 429, 431, 503)
_PROBLEM: Object = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"enum": [f"urn:stagewise:problem:{kind}" for kind in KINDS]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def document(service: Service) -> Object:
    """OpenAPI 3.1; the schemas of requests and answers are the packages' own."""
    schemas: Object = {"problem": _PROBLEM}
    paths: Object = {}
    for name, deployment in service.deployments.items():
        schemas[f"{name}.request"] = deployment.primary.package.io["$defs"]["request"]
        schemas[f"{name}.answer"] = deployment.primary.package.io["$defs"]["answer"]
        paths[f"/v1/models/{name}/predict"] = {"post": _predict(service, name, deployment)}
        paths[f"/v1/models/{name}"] = get(service, f"model_{name}", f"{name}: card, schema and versions", JSON)
    default = service.default.primary.name
    found: Object = {
        "openapi": "3.1.0",
        "info": {"title": f"stagewise: {', '.join(service.deployments)}", "version": version("stagewise")},
        "paths": {
            "/v1/predict": {"post": _predict(service, default, service.default, "predict")},
            **paths,
            "/v1/models": get(service, "models", "the models that are served", JSON),
            "/v1/model": get(service, "model", f"{default}: card, schema and versions", JSON),
            "/healthz": get(None, "healthz", "the process answers", JSON),
            "/readyz": get(None, "readyz", "the models are loaded, and the service is not stopping", JSON, 503),
            "/metrics": get(service, "metrics", "what Prometheus reads", "text/plain"),
            **service.paths,
        },
        "components": {"schemas": schemas},
    }
    if service.options.keys:
        found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return found


def _predict(service: Service, name: str, deployment: Deployment, operation: str | None = None) -> Object:
    package = deployment.primary.package
    request = {"$ref": f"#/components/schemas/{name}.request"}
    inputs = {"type": "array", "items": request, "minItems": 1, "maxItems": service.options.limits.inputs}
    content: Object = {JSON: {"schema": {"oneOf": [closed("input", request), closed("inputs", inputs)]}}}
    for media in package.decoder.media:
        if media == FORM:
            file = {"type": "string", "contentMediaType": BINARY}
            content[FORM] = {"schema": closed(FIELD, {"type": "array", "items": file, "minItems": 1})}
        elif media not in content:
            content[media] = {"schema": {}}
    answer = {
        "type": "object",
        "required": ["id", "model", "version", "answers"],
        "properties": {
            "id": {"type": "string"},
            "model": {"const": name},
            "version": {"type": "string"},
            "answers": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}.answer"}, "minItems": 1},
        },
        "additionalProperties": False,
    }
    top = {
        "name": "top",
        "in": "query",
        "description": "how many of the most likely classes are named",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_TOP, "default": 1},
    }
    return {
        "operationId": operation or f"predict_{name}",
        "summary": f"what {name} answers",
        "parameters": [top],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "the answers", "content": {JSON: {"schema": answer}}},
            **problems(_PREDICT),
        },
        **security(service),
    }


def closed(name: str, schema: Object) -> Object:
    """An object with this one member."""
    return {"type": "object", "required": [name], "properties": {name: schema}, "additionalProperties": False}


def get(service: Service | None, operation: str, told: str, media: str, *statuses: int) -> Object:
    """The entry of an address that is read; without a service, one that needs no key."""
    content = {media: {"schema": {"type": "object"} if media == JSON else {"type": "string"}}}
    statuses = statuses or (_READ if service else (431,))
    found = {
        "operationId": operation,
        "summary": told,
        "responses": {"200": {"description": told, "content": content}, **problems(statuses)},
    }
    return {"get": {**found, **(security(service) if service else {})}}


def problems(statuses: tuple[int, ...]) -> Object:
    """The answers that are errors."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/problem"}}}
    titles = dict(reversed(KINDS.values()))
    return {str(status): {"description": titles[status], "content": content} for status in statuses}


def security(service: Service) -> Object:
    """Whether a key is needed."""
    return {"security": [{"key": []}]} if service.options.keys else {}
