"""What the actions of ``waferscope schema`` do, told in lines for people."""

from waferscope_schemas import comments, migrate
from waferscope_schemas.database import connect
from waferscope_schemas.render_dictionary import render_json, render_markdown
from waferscope_schemas.settings import Schema


async def report_migrate(settings: Schema) -> str:
    """Apply what is pending and provide the reader's role."""
    password = settings.reader_password.get_secret_value() if settings.reader_password else None
    url = settings.database_url.get_secret_value()
    outcome = await migrate.migrate(url, reader_password=password, sample_chunk=settings.sample_chunk)
    applied = [f"applied {migration.version} {migration.name}" for migration in outcome.applied]
    return "\n".join([*applied, f"schema {outcome.version} on {outcome.storage}", outcome.reader])


async def report_status(settings: Schema) -> str:
    """Tell what was applied and what is pending."""
    found = await migrate.status(settings.database_url.get_secret_value())
    applied = [
        f"{done.version:04} {done.name}: applied {done.applied_at:%Y-%m-%d %H:%M:%S} UTC" for done in found.applied
    ]
    pending = [f"{migration.version:04} {migration.name}: pending" for migration in found.pending]
    return "\n".join([*applied, *pending, f"schema {found.version} on {found.storage}"])


async def report_check(settings: Schema) -> str:
    """Refuse a schema that is not the one of this package."""
    found = await migrate.check(settings.database_url.get_secret_value())
    return f"schema {found.version} on {found.storage}"


async def report_dictionary(settings: Schema, *, as_json: bool) -> str:
    """Tell what each table, view and column means, in Markdown or JSON."""
    url = settings.database_url.get_secret_value()
    await migrate.check(url)
    conn = await connect(url)
    try:
        entries = await comments.read(conn)
    finally:
        await conn.close()
    return render_json(entries) if as_json else render_markdown(entries).rstrip("\n")
