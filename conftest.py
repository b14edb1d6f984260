"""What all rooms' tests share: one PostgreSQL per run, databases cloned from a migrated template, named skips.

The server packages are imported where they are used: the wrapper's own tests also run where only the wrapper is.
"""

from collections.abc import Iterator

import pytest
from support.keeper import Keeper
from support.skips import SkipReport


def pytest_configure(config: pytest.Config) -> None:
    """Offer the run's server; xdist's workers find it by the environment."""
    config.pluginmanager.register(SkipReport(), "waferscope-skips")
    if not hasattr(config, "workerinput"):
        config.add_cleanup(Keeper().stop)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a Collector where there is none."""
    marked = [item for item in items if item.get_closest_marker("collector")]
    if marked and not _collector_found():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no Collector: run `make collector`"))


def _collector_found() -> bool:
    from waferscope_stack import collector_binary  # noqa: PLC0415

    return collector_binary.find() is not None


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The superuser's URL of the run's PostgreSQL; databases of your own on it must be dropped by you."""
    return Keeper.url()


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """The superuser's URL of a fresh, empty database."""
    from support import databases  # noqa: PLC0415

    with databases.fresh(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> str:
    """The name of the migrated database that `database_url` clones."""
    from support import databases  # noqa: PLC0415

    return databases.run(databases.template(postgres_url))


@pytest.fixture
def database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """The superuser's URL of a fresh database with all migrations."""
    from support import databases  # noqa: PLC0415

    with databases.fresh(postgres_url, template_database) as url:
        yield url
