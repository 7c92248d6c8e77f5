"""What schemathesis has to know beyond the document. Loaded by SCHEMATHESIS_HOOKS."""

import schemathesis


def has_null(value):
    if isinstance(value, dict):
        return any(has_null(item) for item in value.values())
    if isinstance(value, list):
        return any(has_null(item) for item in value)
    return value is None


@schemathesis.hook
def filter_body(context, body):
    # In the JSON of protobuf, null is the same as leaving a field out, whatever its type.
    return not has_null(body)


@schemathesis.hook
def filter_case(context, case):
    # The parser of the proxy refuses what no registered method of HTTP is, before there is a path to speak of.
    return case.method.upper() != "QUERY" and not has_null(case.body)
