"""Reads ExportTraceServiceRequests in JSON from stdin, one a line, with the published messages: any
name, type or enumeration that these do not know is an error. Prints how many spans there were."""
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

spans = 0
for line in sys.stdin:
    request = json_format.Parse(line, ExportTraceServiceRequest())
    spans += sum(len(scope.spans) for resource in request.resource_spans
                 for scope in resource.scope_spans)
print(spans)
