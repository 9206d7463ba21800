#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "server/api/json_text.h"

namespace gyre::server {

/// A structured log: a file of JSON objects, one a line. Thread-safe.
class JsonLines {
 public:
  /// Appends to the file, which is made where there is none; "-" is stdout. Errors: Invalid, it
  /// cannot be written.
  static Result<std::unique_ptr<JsonLines>> open(const std::string& path);

  void write(const std::string& lines);

 private:
  struct Closer {
    void operator()(std::FILE* file) const;
  };
  explicit JsonLines(std::FILE* file) : file_(file) {}

  std::unique_ptr<std::FILE, Closer> file_;
  std::mutex mutex_;
};

/// A line's beginning, with what each has; `level`: "info", "warn", "error".
void begin_line(JsonText& out, Time at, std::string_view level, std::string_view message);
/// The `trace_id` of a W3C traceparent; nothing where it is none.
void add_trace(JsonText& out, std::string_view trace_parent);
std::string end_line(JsonText& out);

}  // namespace gyre::server
