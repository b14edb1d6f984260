"""Settings name the variable that is wrong in one line, and never show a value."""

from datetime import timedelta

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from waferscope_schemas import settings
from waferscope_schemas.errors import SettingsError

URL = "postgresql://u:secret@127.0.0.1/db"


class Example(settings.Site):
    """Settings of a component."""

    model_config = SettingsConfigDict(env_prefix="WAFERSCOPE_EXAMPLE_")

    port: int = Field(14318, ge=1, le=65535, description="Where it listens")
    names: list[str] = Field(["a"], description="Some names")
    token: SecretStr | None = Field(None, description="A secret")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAFERSCOPE_SITE", raising=False)
    monkeypatch.setenv("WAFERSCOPE_DATABASE_URL", URL)


def test_shared_settings_carry_no_component_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERSCOPE_SITE", "fab1")
    monkeypatch.setenv("WAFERSCOPE_EXAMPLE_SITE", "other")
    monkeypatch.setenv("WAFERSCOPE_EXAMPLE_PORT", "81")
    loaded = settings.load(Example)
    assert (loaded.site, loaded.port, loaded.database_url.get_secret_value()) == ("fab1", 81, URL)


def test_settings_hide_secrets_when_shown() -> None:
    assert "secret" not in repr(settings.load(Example))


def test_a_missing_setting_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAFERSCOPE_DATABASE_URL")
    with pytest.raises(SettingsError, match=r"^WAFERSCOPE_DATABASE_URL: is not set$") as caught:
        settings.load(Example)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WAFERSCOPE_EXAMPLE_PORT", "s3cret"),
        ("WAFERSCOPE_EXAMPLE_PORT", "99999999"),
        ("WAFERSCOPE_EXAMPLE_NAMES", "{s3cret"),
        ("WAFERSCOPE_SITE", ""),
    ],
)
def test_a_malformed_setting_is_told_in_one_line_without_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        settings.load(Example)
    told = str(caught.value)
    assert told.startswith(f"{variable}: ")
    assert "\n" not in told
    assert not value or value not in told


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAFERSCOPE_DATABASE_URL")
    monkeypatch.setenv("WAFERSCOPE_EXAMPLE_PORT", "x")
    with pytest.raises(SettingsError, match=r"WAFERSCOPE_DATABASE_URL.*; WAFERSCOPE_EXAMPLE_PORT"):
        settings.load(Example)


def test_the_length_of_a_chunk_is_given_as_a_time_or_by_iso_8601(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("2:00:00", "PT2H"):
        monkeypatch.setenv("WAFERSCOPE_SCHEMA_SAMPLE_CHUNK", value)
        assert settings.load(settings.Schema).sample_chunk == timedelta(hours=2)


def test_the_description_has_a_line_for_each_setting_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERSCOPE_EXAMPLE_TOKEN", "s3cret")
    described = settings.describe(Example)
    for line in (
        "WAFERSCOPE_DATABASE_URL: The site's database: postgresql://user:password@host:port/database (required)",
        "WAFERSCOPE_EXAMPLE_PORT: Where it listens (default 14318)",
        "WAFERSCOPE_EXAMPLE_TOKEN: A secret (default none)",
    ):
        assert line in described
    assert "s3cret" not in described
