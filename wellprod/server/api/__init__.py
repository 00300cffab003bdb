"""The REST API: handlers parse, call the package and answer; what they answer from is below them."""

from wellprod.server.api.app import create_api
from wellprod.server.api.gate import SignIn, bearer

__all__ = ["SignIn", "bearer", "create_api"]
