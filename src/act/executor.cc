#include "act/executor.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace gyre::act {

std::string to_string(const TaskKey& key) {
  return fmt::format("{}.{}.{}", key.job.value, key.attempt, key.rank);
}

Result<TaskKey> parse_task_key(std::string_view text) {
  TaskKey key;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto take = [&](auto& number) {
    const auto [next, error] = std::from_chars(at, end, number);
    const bool ok = error == std::errc{} && next != at && *at != '-';
    at = next;
    return ok;
  };
  const auto dot = [&] { return at != end && *at++ == '.'; };
  const bool ok =
      take(key.job.value) && dot() && take(key.attempt) && dot() && take(key.rank) && at == end;
  if (!ok || to_string(key) != text) {
    return fail(ErrorKind::Invalid, "'{}' is not a task: write job.attempt.rank, as in 12.1.0",
                text);
  }
  return key;
}

}  // namespace gyre::act
