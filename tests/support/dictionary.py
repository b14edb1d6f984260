"""Writes docs/dictionary.md from the comments in a throw-away database: ``python tests/support/dictionary.py``."""

import asyncio
import tempfile
from pathlib import Path

from waferscope_schemas import comments
from waferscope_schemas.database import connect
from waferscope_schemas.migrate import migrate
from waferscope_schemas.render_dictionary import render_markdown
from waferscope_stack.data_dir import opened
from waferscope_stack.postgres import Postgres
from waferscope_stack.server_user import ServerUser

PATH = Path(__file__).resolve().parents[2] / "docs" / "dictionary.md"


async def render(url: str) -> str:
    """Migrate an empty database and render its dictionary."""
    await migrate(url)
    conn = await connect(url)
    try:
        return render_markdown(await comments.read(conn))
    finally:
        await conn.close()


def main() -> None:
    """Write the page into the repository if it has changed."""
    with tempfile.TemporaryDirectory(prefix="waferscope-dictionary-") as folder:
        Path(folder).chmod(0o755)  # the server runs as another user when this process is root's
        with opened(Path(folder) / "data", ServerUser.choose()) as data_dir:
            server = Postgres.start(data_dir, durable=False)
            try:
                text = asyncio.run(render(server.url))
            finally:
                server.stop()
    if not PATH.exists() or PATH.read_text(encoding="utf-8") != text:
        PATH.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
