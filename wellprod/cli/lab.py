"""JupyterLab and the dashboards in one server."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from wellprod.cli.options import read_settings
from wellprod.errors import UsageError
from wellprod.settings import Settings

commands = typer.Typer()

_NOISE = ("is not trusted", "websocket_ping_timeout")  # said of every page opened, and nobody can act on it


@commands.command()
def lab(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8888,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the dashboards in a browser.")] = True,
    base_url: Annotated[str, typer.Option(help="Path under which all of it answers.")] = "/",
    jupyter: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTION...]", help="Further options, for Jupyter itself.")
    ] = None,
) -> int:
    """Start JupyterLab and the dashboards in one server, behind one login. Ctrl-C ends it; imports go on."""
    settings = read_settings()
    if not settings.notebooks.is_dir():
        raise UsageError(
            f"There is no folder of notebooks at {settings.notebooks}.",
            next="Run this in the project, or name the folder with WELLPROD_NOTEBOOKS.",
        )
    with warnings.catch_warnings():  # Voila has all deprecations inside Jupyter shown
        import voila  # noqa: F401
    from jupyterlab.labapp import LabApp

    arguments = [*_arguments(settings, port, browser, base_url), *(jupyter or [])]
    server = LabApp.initialize_server(argv=arguments)
    for log in (server.log, logging.getLogger("tornado.general")):
        log.addFilter(lambda record: not any(noise in record.getMessage() for noise in _NOISE))
    token = server.identity_provider.token
    server.identity_provider.token_generated = False  # Jupyter need not say what is said here
    query = f"?{urlencode({'token': token})}" if token else ""
    root = server.connection_url
    for name, what in {
        "Dashboards": f"{root}wellprod{query}",
        "JupyterLab": f"{root}lab{query}",
        "Home": str(settings.home),
        "To stop": "Ctrl-C; imports and exports go on by themselves",
    }.items():
        typer.echo(f"{name:<11} {what}")  # each on one line, so that an address can be copied whole
    sys.stdout.flush()
    server.start()
    return 0


def _arguments(settings: Settings, port: int, browser: bool, base_url: str) -> list[str]:
    """Give our choices as options of Jupyter, the one form that goes before its configuration files."""
    choices: dict[str, Any] = {
        "ServerApp.root_dir": settings.notebooks.parent,
        "ServerApp.port": port,
        "ServerApp.base_url": base_url,
        "ServerApp.open_browser": browser,
        "ServerApp.answer_yes": True,  # Ctrl-C stops without a question
        "ServerApp.allow_root": True,  # as in a container; the login guards it all the same
        "Application.log_level": logging.getLevelNamesMapping()[settings.log_level],
        "LabApp.default_url": "/wellprod",
        "LabApp.extension_manager": "readonly",  # which asks no other host
        "KernelManager.transport_encryption": "auto",  # what a kernel says is for this user alone
        "VoilaConfiguration.template": "wellprod",
        "VoilaConfiguration.theme": "light",
        "VoilaConfiguration.show_tracebacks": False,
    }
    return [f"--{name}={value}" for name, value in choices.items()]
