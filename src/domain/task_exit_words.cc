#include "domain/task_exit_words.h"

#include <fmt/format.h>

namespace gyre {

std::string words_of(const TaskExit& exit) {
  if (!exit.message.empty()) return exit.message;
  switch (exit.kind) {
    case TaskExit::Kind::Exited:
      return fmt::format("exit code {}", exit.code);
    case TaskExit::Kind::Signaled:
      return fmt::format("ended by signal {}", exit.code);
    case TaskExit::Kind::StartFailed:
      return "it could not be started";
    case TaskExit::Kind::Lost:
      return "it was lost";
  }
  return "";
}

}  // namespace gyre
