#pragma once

#include <termios.h>

#include <optional>

#include "act/task_exec.h"

namespace gyre::cli {

/// Makes a terminal pass every key on as it is, Ctrl-C among them, until its end.
class RawTerminal {
 public:
  /// Requires: `descriptor` is a terminal.
  explicit RawTerminal(int descriptor);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  const int descriptor_;
  std::optional<termios> before_;
};

/// Of the terminal on `descriptor`; the usual one where it does not say.
act::WindowSize window_size(int descriptor);

}  // namespace gyre::cli
