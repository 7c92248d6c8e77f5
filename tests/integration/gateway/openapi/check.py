"""Checks an OpenAPI document, and values against schemas of it. Reads JSON, writes one line for each fault."""

import json
import sys

from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator

given = json.load(sys.stdin)
document = given["document"]

for error in OpenAPIV31SpecValidator(document).iter_errors():
    print(f"document: {error.message}")

for place, schema, value in given["values"]:
    # The references of the schema lead into the document, so that it is checked as a part of it.
    whole = {"components": document["components"], "allOf": [schema]}
    validator = OAS31Validator(whole, format_checker=oas31_format_checker)
    for error in validator.iter_errors(value):
        print(f"{place}: {error.json_path}: {error.message}")
