"""The REST API, for programs."""

from __future__ import annotations

import secrets
import sys
from ipaddress import ip_address
from typing import Annotated

import typer

from wellprod.cli.options import read_settings
from wellprod.errors import UsageError

commands = typer.Typer()


@commands.command()
def serve(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen at; other than this machine only with a token.")] = (
        "127.0.0.1"
    ),
) -> int:
    """Answer the REST API, until Ctrl-C. Callers send WELLPROD_API_TOKEN as bearer token."""
    from wellprod.jobs import Ledger
    from wellprod.listen import address_of, listen
    from wellprod.log import take_over_logging
    from wellprod.server import serve as api

    settings = read_settings()
    take_over_logging(settings.log_level, settings.log_format)
    token = settings.api_token.get_secret_value() if settings.api_token else None
    if token is None and not _is_loopback(host):
        raise UsageError(
            f"The API would answer at {host}, to other machines, without a token of yours.",
            next="Set WELLPROD_API_TOKEN, or leave --host out to answer this machine only.",
        )
    made = token is None
    token = token or secrets.token_urlsafe(32)
    with listen(host, port) as listener, Ledger(settings.jobs_path).held():  # both before an address is told
        root = address_of(listener)
        open_to_others = None if _is_loopback(host) else "other machines may ask, unencrypted: put HTTPS before it"
        for name, what, note in [
            ("API", root, open_to_others),
            ("Token", token, "for this run; set WELLPROD_API_TOKEN for one that stays")
            if made
            else ("Token", "that of WELLPROD_API_TOKEN", None),
            ("Docs", f"{root}/docs", "for a browser: any user, and the token as password"),
            ("Home", str(settings.home), None),
            ("To stop", "Ctrl-C; imports and exports go on by themselves", None),
        ]:
            typer.echo(f"{name:<11} {what}")  # each on a line of its own, so that it can be copied whole
            if note:
                typer.echo(f"{'':<11} {note}")
        sys.stdout.flush()
        api.serve(listener, token, settings)
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
