"""The variables at the top of the boards: which data sources, which part of the fab; each narrows the next one."""

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh

from waferscope_grafana.queries import ALL, sql_text
from waferscope_grafana.sources import SQL, Source


def source_variable(source: Source) -> DatasourceVariable:
    """Return the choice of a data source; by its name it stands at the provisioned one in every Grafana."""
    return (
        DatasourceVariable(source.variable)
        .id(source.variable)  # the SDK's default is the same for all, and Grafana 9.4 keeps one variable per id
        .label(source.label)
        .type(source.type)
        .current(VariableOption(selected=True, text=source.name, value=source.name))
    )


def site() -> QueryVariable:
    """Return the choice of sites (`wafer.site.id`)."""
    return _choice("site", "Site")


def application() -> QueryVariable:
    """Return the choice of applications (`service.name`) of the chosen sites."""
    return _choice("application", "Application", "site")


def equipment() -> QueryVariable:
    """Return the choice of equipment (`wafer.equipment.id`) that the chosen sites' applications worked for."""
    return _choice("equipment", "Equipment", "site", "application")


def _choice(name: str, label: str, *selection: str) -> QueryVariable:
    """Return a choice of any number of values, "All" at first, asked anew when the time range changes."""
    return (
        QueryVariable(name)
        .id(name)
        .label(label)
        .datasource(SQL.ref())
        .query(sql_text(f"variable_{name}", *selection))
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(ALL)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
