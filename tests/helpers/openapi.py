"""X's official descriptions of its API, where they are present: beside the project, or in the folder X_OPENAPI_DIR."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "recordings" / "openapi"
FOLDER = Path(os.environ.get("X_OPENAPI_DIR") or BESIDE)


@cache
def openapi(version: str) -> tuple[dict[str, Any], Registry]:
    """The document and a registry that resolves its references when they are met."""
    path = FOLDER / f"openapi-{version}.json"
    if not path.exists():
        pytest.skip(f"X's OpenAPI {version} isn't here ({path.name}): set X_OPENAPI_DIR to the folder that has it")
    document = json.loads(path.read_text(encoding="utf-8"))
    return document, Registry().with_resource("urn:x", Resource.from_contents(document, DRAFT202012))
