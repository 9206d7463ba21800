#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "domain/trace_context.h"

namespace gyre::observe {

/// A piece of work that is over, as distributed tracing has it (OpenTelemetry's data model).
struct Span {
  enum class Kind : std::uint8_t { Internal, Server };
  using Value = std::variant<std::string, std::int64_t, bool>;

  TraceContext context;      // its trace, and in `span` its own id
  std::uint64_t parent = 0;  // 0: none
  std::string name;
  Kind kind = Kind::Internal;
  Time begin;  // since the Unix epoch
  Time end;
  std::vector<std::pair<std::string, Value>> attributes{};
  bool failed = false;
  std::string message{};  // why it failed
};

/// Where spans go. Thread-safe.
class SpanSink {
 public:
  virtual ~SpanSink() = default;

  /// Never waits and never fails: what it has no room for is dropped, and counted.
  virtual void take(std::vector<Span> spans) = 0;

  struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t dropped = 0;  // no room, or the receiver would not have them
    std::uint64_t waiting = 0;
  };
  virtual Counts counts() const = 0;
};

}  // namespace gyre::observe
