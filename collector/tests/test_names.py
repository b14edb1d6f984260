"""Names follow the OpenTelemetry-Prometheus compatibility specification."""

import pytest

from waferscope_collector.decode.names import label_name, metric_name
from waferscope_collector.decode.series import fingerprint, label_set


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("wafer.job.duration", "s", "histogram", "wafer_job_duration_seconds"),
        ("wafer.job.errors", "{error}", "counter", "wafer_job_errors_total"),
        ("wafer.job.cpu.time", "s", "counter", "wafer_job_cpu_time_seconds_total"),
        ("wafer.job.memory.peak", "By", "histogram", "wafer_job_memory_peak_bytes"),
        ("wafer.substrate.processed", "{substrate}", "counter", "wafer_substrate_processed_total"),
        ("system.cpu.utilization", "1", "gauge", "system_cpu_utilization_ratio"),
        ("system.cpu.utilization_ratio", "1", "gauge", "system_cpu_utilization_ratio"),
        ("requests", "1", "counter", "requests_total"),
        ("requests.total", "", "counter", "requests_total"),
        ("requests_total_seen", "", "counter", "requests_seen_total"),
        ("disk.io", "By/s", "gauge", "disk_io_bytes_per_second"),
        ("disk.ops", "{operation}/s", "gauge", "disk_ops_per_second"),
        ("fuel", "m/km", "gauge", "fuel_meters_per_km"),
        ("wait.seconds", "s", "gauge", "wait_seconds"),
        ("2nd.try", "", "gauge", "_2nd_try"),
        ("a..b--c", "", "gauge", "a_b_c"),
        ("job:rate", "", "gauge", "job:rate"),
        ("überlauf", "%", "gauge", "berlauf_percent"),
        ("###", "s", "gauge", ""),
    ],
)
def test_metric_names(name: str, unit: str, kind: str, expected: str) -> None:
    assert metric_name(name, unit, kind) == expected


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("wafer.equipment.id", "wafer_equipment_id"),
        ("a..b", "a_b"),
        ("1st", "key_1st"),
        ("_private", "key_private"),
        ("__name__", "key_name_"),
        ("überlauf", "key_berlauf"),
        ("§", ""),
        ("温度", ""),
        ("_", ""),
    ],
)
def test_label_names(attribute: str, expected: str) -> None:
    assert label_name(attribute) == expected


def test_attributes_that_share_a_label_are_joined_in_the_order_of_their_names() -> None:
    assert label_set([("a_b", "2"), ("a.b", "1"), ("empty", "")], []) == {"a_b": "1;2"}


def test_a_points_attributes_stand_before_the_resources_but_for_job_and_instance() -> None:
    given = [("host_name", "tool7"), ("job", "overlay")]
    assert label_set([("host.name", "tool8"), ("job", "mine")], given) == {"host_name": "tool8", "job": "overlay"}


def test_fingerprints_tell_names_from_values() -> None:
    one, two = fingerprint("m", {"a": "b", "c": "d"}), fingerprint("m", {"a": "bc", "": "d"})
    assert one != two
    assert len(one) == 16
