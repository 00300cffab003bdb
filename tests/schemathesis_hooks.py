"""What schemathesis cannot make up from the schema: a file, which is bytes to the schema and records to the server."""

import json

import schemathesis
from hypothesis import strategies

ROW = {"field_code": 1064, "well_code": 50395, "production_period": "2021-03-01", "oil_production_kbd": 26.4}

schemathesis.openapi.format(
    "binary", strategies.sampled_from([json.dumps(body).encode() for body in ({"value": [ROW]}, [ROW, {}], [])])
)
