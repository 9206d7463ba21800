#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "act/executor.h"
#include "base/result.h"

namespace gyre::act {

/// Bytes of a command's input, or of its output, that are under way: sent, and not yet taken.
inline constexpr std::size_t kExecWindow = 262'144;
inline constexpr std::size_t kExecPieceMax = 32'768;    // of one ExecInput or ExecOutput
inline constexpr std::size_t kExecCommandMax = 65'536;  // of a command's words together
inline constexpr std::size_t kExecTermMax = 64;         // of a terminal's name

/// Of a terminal, in characters.
struct WindowSize {
  std::uint16_t columns = 80;
  std::uint16_t rows = 24;
  bool operator==(const WindowSize&) const = default;
};

// --- what is asked for. Of one that is over, all but ExecStart means nothing. --------------------

/// Runs a command in a running task. Who asks may take kExecWindow bytes of output from the start.
struct ExecStart {
  std::uint64_t id = 0;  // never used twice on one connection
  TaskKey key;
  std::vector<std::string> command;
  bool terminal = false;
  WindowSize size;
  std::string term;  // the variable TERM, where there is a terminal; kExecTermMax bytes at most
  bool operator==(const ExecStart&) const = default;
};
/// At most kExecWindow bytes that no ExecTook has answered.
struct ExecInput {
  std::uint64_t id = 0;
  std::string bytes;
  bool last = false;  // nothing follows: the command reads to its end. A terminal has no end
  bool operator==(const ExecInput&) const = default;
};
struct ExecResize {
  std::uint64_t id = 0;
  WindowSize size;
  bool operator==(const ExecResize&) const = default;
};
/// So many more bytes of output may come.
struct ExecWant {
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;
  bool operator==(const ExecWant&) const = default;
};
/// Ends the command and all that it started. No report follows.
struct ExecHangUp {
  std::uint64_t id = 0;
  bool operator==(const ExecHangUp&) const = default;
};
using ExecOrder = std::variant<ExecStart, ExecInput, ExecResize, ExecWant, ExecHangUp>;

// --- what is told --------------------------------------------------------------------------------

struct ExecStarted {
  std::uint64_t id = 0;
  bool operator==(const ExecStarted&) const = default;
};
struct ExecOutput {
  std::uint64_t id = 0;
  bool standard_error = false;  // a terminal has standard output alone
  std::string bytes;
  bool operator==(const ExecOutput&) const = default;
};
/// The command has got so many more bytes of its input.
struct ExecTook {
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;
  bool operator==(const ExecTook&) const = default;
};
/// Nothing follows it. The exit code as a shell has it, 128 and the signal's number for one that a
/// signal ended; or why there is none: it could not run, or its task has ended.
struct ExecEnded {
  std::uint64_t id = 0;
  Result<std::int32_t> exit_code = 0;
};
using ExecReport = std::variant<ExecStarted, ExecOutput, ExecTook, ExecEnded>;

inline std::uint64_t exec_id(const auto& word) {
  return std::visit([](const auto& one) { return one.id; }, word);
}

/// Runs commands in the running tasks of a node. A command ends with its task at the latest, and
/// all that it started ends with it. Thread-safe; no call waits. First implementation:
/// adapter/process.
class TaskExecs {
 public:
  virtual ~TaskExecs() = default;

  /// Who is told, on one thread; must return quickly. Requires: called once, before the others.
  virtual void listen(std::function<void(ExecReport)> listener) = 0;

  virtual void obey(const ExecOrder& order) = 0;

  /// As ExecHangUp for every command that runs.
  virtual void hang_up_all() = 0;
};

}  // namespace gyre::act
