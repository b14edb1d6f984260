"""Settings from the environment: one pydantic-settings class per component, loaded and explained in one way.

A component's own settings carry its prefix (``WAFERSCOPE_<COMPONENT>_``); those of `Database` and `Site` are shared.
"""

import re
from datetime import timedelta
from typing import TypeVar

import pydantic_settings
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from waferscope_schemas.errors import SettingsError

Settings = TypeVar("Settings", bound=BaseSettings)


class Database(BaseSettings):
    """Where the site's database is."""

    model_config = SettingsConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True, extra="ignore")

    database_url: SecretStr = Field(
        validation_alias="WAFERSCOPE_DATABASE_URL",
        description="The site's database: postgresql://user:password@host:port/database",
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise PydanticCustomError("url", "is no valid URL: postgresql://user:password@host:port/database")
        return url


class Site(Database):
    """What every server of a site shares; subclass it and set ``env_prefix`` for the server's own settings."""

    site: str = Field(
        "default",
        min_length=1,
        validation_alias="WAFERSCOPE_SITE",
        description="The site's name; stands for wafer.site.id where telemetry brings none",
    )


class Schema(Database):
    """Settings of ``waferscope schema``."""

    model_config = SettingsConfigDict(env_prefix="WAFERSCOPE_SCHEMA_")

    reader_password: SecretStr | None = Field(
        None, description="Password of the role waferscope_reader; not set: the role is left as it is"
    )
    sample_chunk: timedelta = Field(
        timedelta(hours=1),
        ge=timedelta(minutes=1),
        description="Length of a chunk of samples (H:MM:SS or ISO 8601) on TimescaleDB, fixed by the first migration",
    )


def load(cls: type[Settings]) -> Settings:
    """Read the settings of a component from the environment.

    Args:
        cls: The component's settings class.

    Returns:
        The validated settings.

    Raises:
        SettingsError: A value is missing or malformed. The message is one line, names each variable and what is
            wrong with it, and shows no values: any of them may be a secret.
    """
    try:
        return cls()
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        problems = [
            f"{_variable(cls, str(detail['loc'][0]))}: {_reason(detail['type'], detail['msg'])}" for detail in details
        ]
        raise SettingsError("; ".join(problems)) from None
    except pydantic_settings.SettingsError as error:  # a list or mapping that is no JSON; its text names the field
        field = re.search(r'field "(\w+)"', str(error))
        raise SettingsError(f"{_variable(cls, field[1] if field else '')}: is no valid JSON") from None


def describe(cls: type[BaseSettings]) -> str:
    """Render the settings of a component as text: one line each with variable, default and meaning.

    Args:
        cls: The component's settings class.

    Returns:
        Lines for the epilog of ``--help`` and for the docs.
    """
    lines = []
    for name, field in cls.model_fields.items():
        default = "required" if field.is_required() else f"default {_plain(field)}"
        lines.append(f"  {_variable(cls, name)}: {field.description} ({default})")
    return "\n".join(["settings by environment variables:", *lines])


def _plain(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=False)
    return "none" if default is None else str(default)


def _variable(cls: type[BaseSettings], name: str) -> str:
    """Name the environment variable of a field, given by its name or by its alias."""
    field = cls.model_fields.get(name)
    if field is None:
        return name
    if isinstance(field.validation_alias, str):
        return field.validation_alias
    return f"{cls.model_config.get('env_prefix', '')}{name}".upper()


def _reason(kind: str, message: str) -> str:
    return "is not set" if kind == "missing" else message[:1].lower() + message[1:]
