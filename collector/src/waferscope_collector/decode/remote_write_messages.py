"""The messages of Prometheus remote write, declared by their fields.

Source: Prometheus remote-write specifications 1.0 and 2.0. Their generated modules are in no package; declaring what is
read here costs less than a compiler in every build.
"""

from collections.abc import Mapping

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

_PACKAGE = "waferscope.remote_write"
_TYPES = {
    name: getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{name.upper()}")
    for name in ("double", "int64", "uint64", "sint64", "sint32", "uint32", "int32", "string")
}

# Each field: number, type (or the name of a message), whether it is repeated. Choices ("oneof") are read by presence.
_SPAN = {"offset": (1, "sint32", False), "length": (2, "uint32", False)}
_HISTOGRAM = {
    "count_int": (1, "uint64", False),
    "count_float": (2, "double", False),
    "sum": (3, "double", False),
    "schema": (4, "sint32", False),
    "zero_threshold": (5, "double", False),
    "zero_count_int": (6, "uint64", False),
    "zero_count_float": (7, "double", False),
    "negative_spans": (8, "BucketSpan", True),
    "negative_deltas": (9, "sint64", True),
    "negative_counts": (10, "double", True),
    "positive_spans": (11, "BucketSpan", True),
    "positive_deltas": (12, "sint64", True),
    "positive_counts": (13, "double", True),
    "reset_hint": (14, "int32", False),
    "timestamp": (15, "int64", False),
    "custom_values": (16, "double", True),
    "start_timestamp": (17, "int64", False),
}
_SAMPLE = {"value": (1, "double", False), "timestamp": (2, "int64", False), "start_timestamp": (3, "int64", False)}
_V1 = {
    "BucketSpan": _SPAN,
    "Histogram": _HISTOGRAM,
    "Sample": _SAMPLE,
    "Label": {"name": (1, "string", False), "value": (2, "string", False)},
    "Exemplar": {"labels": (1, "Label", True), "value": (2, "double", False), "timestamp": (3, "int64", False)},
    "TimeSeries": {
        "labels": (1, "Label", True),
        "samples": (2, "Sample", True),
        "exemplars": (3, "Exemplar", True),
        "histograms": (4, "Histogram", True),
    },
    "Metadata": {
        "type": (1, "int32", False),
        "metric_family_name": (2, "string", False),
        "help": (4, "string", False),
        "unit": (5, "string", False),
    },
    "WriteRequest": {"timeseries": (1, "TimeSeries", True), "metadata": (3, "Metadata", True)},
}
_V2 = {
    "BucketSpan": _SPAN,
    "Histogram": _HISTOGRAM,
    "Sample": _SAMPLE,
    "Exemplar": {"labels_refs": (1, "uint32", True), "value": (2, "double", False), "timestamp": (3, "int64", False)},
    "Metadata": {"type": (1, "int32", False), "help_ref": (3, "uint32", False), "unit_ref": (4, "uint32", False)},
    "TimeSeries": {
        "labels_refs": (1, "uint32", True),
        "samples": (2, "Sample", True),
        "histograms": (3, "Histogram", True),
        "exemplars": (4, "Exemplar", True),
        "metadata": (5, "Metadata", False),
        "created_timestamp": (6, "int64", False),
    },
    "Request": {"symbols": (4, "string", True), "timeseries": (5, "TimeSeries", True)},
}


def _declared(version: str, messages: Mapping[str, Mapping[str, tuple[int, str, bool]]]) -> dict[str, type[Message]]:
    package = f"{_PACKAGE}.{version}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            added = message.field.add(name=field, number=number)
            proto = descriptor_pb2.FieldDescriptorProto
            added.label = proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL
            if kind in _TYPES:
                added.type = _TYPES[kind]
            else:
                added.type, added.type_name = proto.TYPE_MESSAGE, f".{package}.{kind}"
            if kind in _TYPES and not repeated:  # so that one can ask whether it is there
                added.proto3_optional = True
                added.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


V1 = _declared("v1", _V1)
V2 = _declared("v2", _V2)
