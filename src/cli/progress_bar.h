#pragma once

#include <string_view>

namespace gyre::cli {

/// A bar on stderr, redrawn in place and wiped at the end; nothing where stderr is no terminal.
class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(double done, std::string_view text);  // `done`: 0..1

 private:
  const bool terminal_;
  bool shown_ = false;
};

}  // namespace gyre::cli
