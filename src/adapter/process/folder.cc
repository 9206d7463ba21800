#include "adapter/process/folder.h"

#include <fcntl.h>
#include <sys/file.h>

#include <array>
#include <charconv>
#include <ctime>

namespace gyre::process {
namespace {

constexpr std::array<std::string_view, 4> kExitKinds{"exited", "signaled", "start_failed", "lost"};

template <class Number>
Number number_of(std::string_view text) {
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

template <class Number>
Number number_of(const Records& records, std::string_view name) {
  return number_of<Number>(value_of(records, name));
}

Time clock_now(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

struct Stage {
  const char* name;
  Duration StartStages::*member;
};
constexpr std::array<Stage, 5> kStages{{{"image_ns", &StartStages::image},
                                        {"root_ns", &StartStages::root},
                                        {"create_ns", &StartStages::create},
                                        {"init_ns", &StartStages::init},
                                        {"ready_ns", &StartStages::ready}}};

Records records_of(const StartStages& stages) {
  Records records{{"received_ns", std::to_string(stages.received.ns)},
                  {"warm", stages.warm ? "1" : "0"},
                  {"port", std::to_string(stages.port)}};
  for (const std::int32_t port : stages.ports) {
    records.emplace_back("named_port", std::to_string(port));
  }
  for (const auto& [name, member] : kStages) {
    records.emplace_back(name, std::to_string((stages.*member).ns));
  }
  return records;
}

StartStages stages_of(const Records& records) {
  StartStages stages;
  stages.received = {number_of<std::int64_t>(records, "received_ns")};
  stages.warm = value_of(records, "warm") == "1";
  stages.port = number_of<std::int32_t>(records, "port");
  for (const auto& record : records) {
    if (record.first == "named_port")
      stages.ports.push_back(number_of<std::int32_t>(record.second));
  }
  for (const auto& [name, member] : kStages) {
    stages.*member = {number_of<std::int64_t>(records, name)};
  }
  return stages;
}

/// nullopt where the file is missing.
Result<std::optional<Records>> read_records(const Fd& folder, const char* name) {
  const auto text = read_file(folder, name);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::nullopt;
  return decode(**text);
}

}  // namespace

std::string SupervisorSpec::encode() const {
  Records records{{"key", key},
                  {"working_directory", working_directory},
                  {"memory_mib", std::to_string(memory.value)},
                  {"asked_at_ns", std::to_string(asked_at.ns)},
                  {"lease", lease},
                  {"log_max_mib", std::to_string(log_max.value)}};
  for (auto& record : records_of(stages)) records.push_back(std::move(record));
  for (const std::string& argument : command) records.emplace_back("argument", argument);
  for (const std::string& variable : env) records.emplace_back("env", variable);
  groups.add_to(records);
  if (!container.empty()) records.emplace_back("container", container);
  for (const std::string& path : artifacts) records.emplace_back("artifact", path);
  return process::encode(records);
}

Result<SupervisorSpec> SupervisorSpec::decode(std::string_view text) {
  const auto records = process::decode(text);
  if (!records) return tl::unexpected(records.error());
  SupervisorSpec spec;
  spec.key = value_of(*records, "key");
  spec.working_directory = value_of(*records, "working_directory");
  spec.memory = {number_of<std::int64_t>(*records, "memory_mib")};
  spec.asked_at = {number_of<std::int64_t>(*records, "asked_at_ns")};
  spec.lease = value_of(*records, "lease");
  spec.log_max = {number_of<std::int64_t>(*records, "log_max_mib")};
  spec.stages = stages_of(*records);
  for (const auto& [name, value] : *records) {
    if (name == "argument") spec.command.push_back(value);
    if (name == "env") spec.env.push_back(value);
    if (name == "artifact") spec.artifacts.push_back(value);
  }
  spec.groups = TaskGroups::from(*records);
  spec.container = value_of(*records, "container");
  if (spec.command.empty()) return fail(ErrorKind::Invalid, "the task's record has no command");
  return spec;
}

TaskExit never_ran() {
  return {.kind = TaskExit::Kind::Lost, .stopped = true, .message = "stopped before it ran"};
}

TaskExit start_failed(const Error& error) {
  return {.kind = TaskExit::Kind::StartFailed, .message = error.message};
}

Time monotonic_now() { return clock_now(CLOCK_MONOTONIC); }
Time unix_now() { return clock_now(CLOCK_REALTIME); }

std::string encode(const StartStages& stages) { return encode(records_of(stages)); }

StartStages read_stages(const Fd& folder) {
  const auto records = read_records(folder, kRunningFile);
  return records && *records ? stages_of(**records) : StartStages{};
}

std::string encode(const TaskExit& exit) {
  return encode(Records{{"kind", std::string(kExitKinds[static_cast<std::size_t>(exit.kind)])},
                        {"code", std::to_string(exit.code)},
                        {"stopped", exit.stopped ? "1" : "0"},
                        {"message", exit.message},
                        {"ended_at_ns", std::to_string(exit.ended_at.ns)}});
}

std::string encode(const act::StopOptions& options) {
  return encode(Records{{"checkpoint_signal", std::to_string(options.checkpoint_signal)},
                        {"grace_ns", std::to_string(options.grace.ns)}});
}

Result<std::optional<TaskExit>> read_exit(const Fd& folder) {
  const auto records = read_records(folder, kExitFile);
  if (!records) return tl::unexpected(records.error());
  if (!*records) return std::nullopt;
  TaskExit exit{.kind = TaskExit::Kind::Lost,
                .code = number_of<std::int32_t>(**records, "code"),
                .stopped = value_of(**records, "stopped") == "1",
                .message = std::string(value_of(**records, "message")),
                .ended_at = {number_of<std::int64_t>(**records, "ended_at_ns")}};
  for (std::size_t i = 0; i < kExitKinds.size(); ++i) {
    if (value_of(**records, "kind") == kExitKinds[i]) exit.kind = static_cast<TaskExit::Kind>(i);
  }
  return exit;
}

Result<std::optional<act::StopOptions>> read_stop(const Fd& folder) {
  const auto records = read_records(folder, kStopFile);
  if (!records) return tl::unexpected(records.error());
  if (!*records) return std::nullopt;
  return act::StopOptions{.checkpoint_signal = number_of<int>(**records, "checkpoint_signal"),
                          .grace = {number_of<std::int64_t>(**records, "grace_ns")}};
}

Result<FolderState> inspect(const Fd& folder) {
  FolderState state;
  state.lock = Fd(::openat(folder.get(), kLockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!state.lock) return os_error("cannot open a task's lock file");
  state.supervised = ::flock(state.lock.get(), LOCK_EX | LOCK_NB) != 0;
  if (state.supervised) state.lock.reset();
  // Read after the lock was tried: who let go of it had written its last word before.
  auto exit = read_exit(folder);
  if (!exit) return tl::unexpected(exit.error());
  state.exit = std::move(*exit);
  state.started = exists(folder, kStartedFile);
  state.running = exists(folder, kRunningFile);
  const auto supervisor = read_records(folder, kSupervisorFile);
  if (!supervisor) return tl::unexpected(supervisor.error());
  if (*supervisor) {
    state.groups = TaskGroups::from(**supervisor);
    const auto pid = number_of<pid_t>(**supervisor, "pid");
    if (state.supervised && pid > 0) state.supervisor = pid;
  }
  return state;
}

}  // namespace gyre::process
