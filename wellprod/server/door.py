"""What all routes share: the login, the settings, and answers in words when something is refused."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerJinjaMixin, ExtensionHandlerMixin
from tornado import web
from voila.utils import make_url

from wellprod.errors import SettingsError
from wellprod.settings import Settings

WORKBENCH = "wellprod_workbench"  # the key of what the extension keeps in the settings of the server
PAGES = {
    "import": ("Import", "Bring in the monthly feed or a file, and watch it arrive."),
    "status": ("Status", "See what is stored, what is running, and how earlier work ended."),
    "explore": ("Explore", "Choose fields, wells and months, and see them as charts, figures and a table."),
    "download": ("Download", "Choose fields, wells and months, and take the figures away as a file."),
}


class Refusal(web.HTTPError):
    """A request answered with no: what is wrong with it, and what to do next."""

    def __init__(self, status: int, message: str, next: str = "") -> None:
        super().__init__(status, f"{message} {next}".strip())
        self.message = message
        self.next = next


class Door(ExtensionHandlerJinjaMixin, ExtensionHandlerMixin, JupyterHandler):
    """A route of wellprod behind Jupyter's login."""

    auth_resource = "wellprod"

    async def prepare(self) -> None:  # type: ignore[override]
        """Know the caller, and give a browser the token without which Voila refuses to end a closed page's kernel."""
        await super().prepare()
        if self.current_user:
            self.xsrf_token  # noqa: B018 - reading it sets the cookie

    @property
    def workbench(self) -> Settings:
        """The settings of the workbench behind this server.

        Raises
        ------
        Refusal
            A setting is not allowed; the answer names it.
        """
        settings: Settings | SettingsError = self.settings[WORKBENCH]
        if isinstance(settings, SettingsError):
            raise Refusal(503, settings.message, f"{settings.next} Then start the server again.")
        return settings

    def show(self, template: str, **values: Any) -> None:
        """Answer with one of our own pages."""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        stylesheet = make_url("wellprod", self.base_url, "static/wellprod.css")
        self.finish(self.render_template(template, pages=PAGES, stylesheet=stylesheet, **values))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say what was refused and what to do, as a page to a browser and as JSON to a program."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        phrase = HTTPStatus(status_code).phrase
        message = getattr(error, "message", None) or getattr(error, "log_message", None) or f"{phrase}."
        advice = getattr(error, "next", "")
        self.clear_header("Content-Disposition")
        if "text/html" in self.request.headers.get("Accept", ""):
            self.show("refusal.html", message=message, advice=advice)
        else:
            self.finish({"status": status_code, "message": message, "next": advice})
