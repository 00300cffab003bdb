"""The front page, and the short addresses of the dashboards."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_escape, url_path_join
from tornado import web
from tornado.httputil import url_concat

from wellprod.server.door import PAGES, Door, Refusal


class FrontDoor(Door):
    """GET /wellprod: where people who do not write code begin."""

    @web.authenticated
    @authorized
    def get(self) -> None:
        """Show the page."""
        self.show("front.html")


class PageDoor(Door):
    """GET /wellprod/import and its sisters: open the dashboard of that name."""

    @web.authenticated
    @authorized
    def get(self, page: str) -> None:
        """Lead on to Voila, which runs the notebook as a page."""
        if page not in PAGES:
            raise Refusal(404, f"There is no page {page!r}.", f"The pages are: {', '.join(PAGES)}.")
        notebook = f"{page}.ipynb"
        folder, root = self.workbench.notebooks, Path(self.serverapp.root_dir).resolve()
        if not folder.is_relative_to(root):
            raise Refusal(
                404,
                f"The notebooks are in {folder}, which this server cannot see: it serves {root}.",
                "Start it there with: wellprod lab; or name another folder with WELLPROD_NOTEBOOKS.",
            )
        if not (folder / notebook).is_file():
            raise Refusal(
                404,
                f"There is no {notebook} in {folder}.",
                "Put it there, or name the folder that holds it with WELLPROD_NOTEBOOKS.",
            )
        path = url_escape((folder / notebook).relative_to(root).as_posix())
        query = [
            (name, value)
            for name in self.request.query_arguments
            if name != "token"
            for value in self.get_query_arguments(name)
        ]
        self.redirect(url_concat(url_path_join(self.base_url, "voila/render", path), query))
