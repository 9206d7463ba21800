#pragma once

#include <span>
#include <string>

#include "observe/span.h"

namespace gyre::otlp {

/// An ExportTraceServiceRequest of OTLP 1.0 in its JSON encoding
/// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): names in lowerCamelCase, ids
/// in hexadecimal, 64-bit numbers as text, enumerations as numbers. `service_instance` tells one
/// server from another. Text that is no UTF-8 is mended.
std::string trace_request(std::span<const observe::Span> spans, const std::string& service_instance,
                          const std::string& version);

}  // namespace gyre::otlp
