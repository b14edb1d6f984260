"""The boards, one module each; `BOARDS` lists them all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from waferscope_grafana.boards.overview import overview


@dataclass(frozen=True, slots=True)
class Board:
    """A board.

    Attributes:
        folder: The folder that people find it in.
        name: Its file's name; with the folder its uid, which links rely on.
        title: What people see.
        fill: Adds what the board shows.
    """

    folder: str
    name: str
    title: str
    fill: Callable[[Dashboard], Dashboard]

    @property
    def uid(self) -> str:
        """Return the id by which Grafana knows the board, at most 40 characters."""
        return f"waferscope-{self.folder.lower()}-{self.name}"

    @property
    def path(self) -> PurePosixPath:
        """Return the board's file below the folder of committed boards."""
        return PurePosixPath(self.folder.lower()) / f"{self.name}.json"

    def builder(self) -> Dashboard:
        """Return the filled board."""
        board = Dashboard(self.title).uid(self.uid).tags(["waferscope", self.folder.lower()])
        board.timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
        return self.fill(board)


BOARDS = (Board("Site", "overview", "Site overview", overview),)
"""All boards, in the order in which people should meet them."""
