#include "server/api/task_exits.h"

#include <variant>

namespace gyre::server {
namespace {

bool ran(const TaskExit& exit) {
  return exit.kind == TaskExit::Kind::Exited || exit.kind == TaskExit::Kind::Signaled;
}

}  // namespace

void TaskExits::after(const Event& event, const control::Controller& core) {
  const auto* ended = std::get_if<TaskEnded>(&event.body);
  if (ended == nullptr) return;
  const Job* job = core.jobs().find(ended->job);
  if (job == nullptr || attempt_of(*job, ended->rank) != ended->attempt) return;
  const auto size = static_cast<std::size_t>(task_count(job->spec->tasks));
  const auto rank = static_cast<std::size_t>(ended->rank);
  if (size < 2 || rank >= size) return;  // of a single task the core knows it
  Attempt& attempt = attempts_[ended->job];
  if (attempt.codes.empty()) tasks_ += size;
  const std::int32_t gang = gang_attempt(*job);
  if (attempt.number != gang) attempt = {gang, Codes(size)};
  if (ran(ended->exit)) attempt.codes[rank] = ended->exit.shell_code();
  while (tasks_ > kTasksMax && attempts_.size() > 1) {
    const auto oldest = attempts_.begin();
    tasks_ -= oldest->second.codes.size();
    attempts_.erase(oldest);
  }
}

TaskExits::Codes TaskExits::of(const Job& job) const {
  const auto size = static_cast<std::size_t>(task_count(job.spec->tasks));
  if (job.state == JobState::Succeeded) return Codes(size, 0);
  if (size == 1) {
    const bool ended = is_final(job.state) && job.attempt > 0 && ran(job.exit);
    return ended ? Codes{job.exit.shell_code()} : Codes{};
  }
  const auto found = attempts_.find(job.id);
  const bool known = found != attempts_.end() && found->second.number == gang_attempt(job);
  return known ? found->second.codes : Codes{};
}

}  // namespace gyre::server
