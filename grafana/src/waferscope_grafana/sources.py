"""The data sources that boards ask, by the variables that choose them and the names that provisioning gives them."""

from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import DataSourceRef


@dataclass(frozen=True, slots=True)
class Source:
    """A data source of a board.

    Attributes:
        type: Grafana's id of the plugin, one that every Grafana from 9.4 on knows.
        variable: Name of the board variable that chooses the data source.
        label: What people see beside the variable.
        name: Name of the provisioned data source: what the variable stands at first.
        uid: Its uid, by which data sources refer to each other.
    """

    type: str
    variable: str
    label: str
    name: str
    uid: str

    def ref(self) -> DataSourceRef:
        """Return the reference that panels, queries and variables carry."""
        return DataSourceRef(type_val=self.type, uid=f"${{{self.variable}}}")


PROMQL = Source("prometheus", "metrics", "Metrics", "WaferScope metrics", "waferscope-metrics")
SQL = Source("postgres", "database", "Database", "WaferScope database", "waferscope-database")
TRACES = Source("tempo", "traces", "Traces", "WaferScope traces", "waferscope-traces")
SOURCES = (PROMQL, SQL, TRACES)
