#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/process/files.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre::process {

/// A command of /bin/sh in a process group of its own, with nothing on its input and default
/// signals, and the end of what it says on both its outputs. It is left to itself when this goes.
/// Not thread-safe.
class ShellCommand {
 public:
  static constexpr std::size_t kOutputKept = 4096;  // bytes

  /// `more_environment`: "NAME=value", in the place of what this process has. Errors: Internal.
  static Result<ShellCommand> start(const std::string& command,
                                    const std::vector<std::string>& more_environment);

  /// Its wait status once it has ended. Reads what it says meanwhile; waits for `pause` at most.
  std::optional<int> look(Duration pause);
  /// It, and all that it has started in its group.
  void kill() const;
  const std::string& output() const { return output_; }

 private:
  void read_output();

  pid_t pid_ = -1;
  Fd out_;
  std::string output_;
};

/// What a program said, without anything that could steer a terminal: printable ASCII, and '?'.
std::string plain_text(std::string_view text);

}  // namespace gyre::process
