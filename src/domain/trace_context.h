#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gyre {

/// Where a piece of work stands in a distributed trace: W3C Trace Context, level 1
/// (https://www.w3.org/TR/trace-context-1/).
struct TraceContext {
  std::uint64_t trace_high = 0;  // the two halves are never both 0
  std::uint64_t trace_low = 0;
  std::uint64_t span = 0;  // of the caller, or of the piece of work itself; never 0
  std::uint8_t flags = 0;

  bool sampled() const { return (flags & 1) != 0; }
  bool operator==(const TraceContext&) const = default;
};

/// Reads a `traceparent` header; of later versions what is known here. nullopt: it is not valid,
/// and who gets it begins a trace of its own.
std::optional<TraceContext> parse_trace_parent(std::string_view text);

/// "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
std::string to_string(const TraceContext& context);

std::string trace_id_text(const TraceContext& context);  // 32 hexadecimal digits
std::string span_id_text(std::uint64_t span);            // 16

/// The span of a piece of work below `context`, named by what it is: always the same for the same,
/// so that whoever knows the context knows the span without being told. Never 0.
std::uint64_t derived_span(const TraceContext& context, std::string_view what,
                           std::int32_t attempt = 0, std::int32_t rank = 0);

}  // namespace gyre
