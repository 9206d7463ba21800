#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "act/executor.h"
#include "base/result.h"

namespace gyre::act {

enum class LogStream : std::uint8_t { Stdout, Stderr };

/// Which log, and which part of it.
struct LogQuery {
  JobId job;
  std::optional<std::int32_t> attempt;  // none: the latest that has a log
  std::int32_t rank = 0;
  LogStream stream = LogStream::Stdout;
  std::uint64_t offset = 0;  // bytes from the log's beginning
  std::size_t bytes_max = 65'536;

  bool operator==(const LogQuery&) const = default;
};

struct LogChunk {
  std::string data;               // raw bytes as the task wrote them
  std::int32_t attempt = 0;       // whose log it is
  std::uint64_t next_offset = 0;  // ask from here for what follows
  std::uint64_t size = 0;         // of the log when it was read
  bool over = false;              // the task has ended: with next_offset == size, nothing follows
  std::uint64_t dropped = 0;  // bytes at the query's offset that are not kept; `data` is after them

  bool stuck = false;  // there is no room where it is kept: what the task says now is lost

  bool operator==(const LogChunk&) const = default;
};

/// What tasks wrote. Thread-safe; reads files and never waits: who follows a log asks again from
/// `next_offset`, some ten times a second, until it is `over`.
class TaskLogs {
 public:
  virtual ~TaskLogs() = default;

  /// Errors: NotFound (no task of that name ran here, or its log is no longer kept); Invalid (an
  /// offset beyond the end); Internal (the disk).
  virtual Result<LogChunk> read(const LogQuery& query) const = 0;

  /// The tasks whose logs are kept, in no order.
  virtual std::vector<TaskKey> kept() const = 0;
};

}  // namespace gyre::act
