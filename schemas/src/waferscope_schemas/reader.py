"""The login role of people and boards: it reads the views of the schema ``wafer`` and nothing else."""

import base64
import hashlib
import hmac
import os

import asyncpg

from waferscope_schemas import queries
from waferscope_schemas.errors import SettingsError

ROLE = "waferscope_reader"

_SQL = queries.load("waferscope_schemas")
_ITERATIONS = 4096  # PostgreSQL's own default (scram_iterations)


async def provide(conn: asyncpg.Connection, password: str | None) -> str:
    """Create the reader's role if absent, set its password if one is given, grant it the views.

    Roles belong to the whole cluster: migrations of other databases may do the same at this moment.

    Args:
        conn: A connection as the owner of the schema ``wafer``, who may create roles.
        password: The password to log in with; None leaves an existing role as it is and creates one without login.

    Returns:
        What was done, for people.

    Raises:
        SettingsError: The password holds other than printable ASCII characters.
    """
    existed = await conn.fetchval(_SQL["reader_exists"])
    if not existed:
        await conn.execute(_SQL["create_reader"])
    if password is not None:
        async with conn.transaction():
            await conn.fetchval(_SQL["pass_verifier"], _verifier(password))
            await conn.execute(_SQL["let_reader_in"])
    await conn.execute(_SQL["grant_views"])
    if password is not None:
        return f"role {ROLE} logs in by the password of WAFERSCOPE_SCHEMA_READER_PASSWORD"
    state = "keeps its login and password" if existed else "was created without login"
    return f"role {ROLE} {state} (WAFERSCOPE_SCHEMA_READER_PASSWORD is not set)"


def _verifier(password: str) -> str:
    """Make the SCRAM-SHA-256 verifier that PostgreSQL stores: so no log of the server ever shows the password.

    The form is ``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`` (RFC 5803; PostgreSQL, pg_authid).
    """
    if not (password and password.isascii() and password.isprintable()):
        raise SettingsError("WAFERSCOPE_SCHEMA_READER_PASSWORD: may hold printable ASCII characters only")
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return "SCRAM-SHA-256${}:{}${}:{}".format(_ITERATIONS, *encoded)
