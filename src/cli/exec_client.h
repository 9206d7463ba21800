#pragma once

#include <memory>
#include <string>

#include "cli/http_client.h"
#include "cli/outcome.h"

namespace gyre::cli {

/// Stands for a command in a task: this program's input, output and errors are the command's, and a
/// terminal's keys and size go there. Used once, by one thread.
class ExecClient {
 public:
  /// `target` is the path and query of the command; `terminal`: standard input is one, and the
  /// command has one.
  ExecClient(ServerAddress address, std::string target, bool terminal);
  ~ExecClient();

  /// The command's exit code. Errors: the server refuses, or the connection broke off.
  Outcome<int> run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::cli
