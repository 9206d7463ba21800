#include "adapter/process/cgroups.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <system_error>

#include "adapter/process/own_group.h"

namespace gyre::process {
namespace {

constexpr std::int64_t kCpuPeriodUs = 100'000;
constexpr int kKeepTries = 100;

bool make_folder(const std::string& path) {
  return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

/// While it is there the parent is not empty, and no task that ends takes the parent with it.
std::string keeper_of(const std::string& parent) { return parent + "/server"; }

/// Makes the parent to stay until let_go(). The last task of a server before may remove it
/// meanwhile.
bool keep(const std::string& parent) {
  for (int tries = 0; tries < kKeepTries; ++tries) {
    if (!make_folder(parent)) return false;
    if (make_folder(keeper_of(parent))) return true;
    if (errno != ENOENT && errno != ENODEV) return false;
  }
  return false;
}

void let_go(const std::string& parent) {
  ::rmdir(keeper_of(parent).c_str());
  ::rmdir(parent.c_str());
}

/// A parent folder in which groups can be made and `probe_file` of theirs can be set.
std::string usable_parent(const std::string& parent, const char* probe_file, const char* value) {
  if (!keep(parent)) return {};
  const auto set = write_control(fmt::format("{}/{}", keeper_of(parent), probe_file), value);
  if (set) return parent;
  let_go(parent);
  return {};
}

std::vector<pid_t> processes(const std::string& folder) {
  std::vector<pid_t> pids;
  std::istringstream text(read_control(folder + "/cgroup.procs"));
  for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
  return pids;
}

/// Version 2 lets children have a controller only where no process is beside them: the own process
/// goes into a leaf of its own, which helps if it was the only one.
bool delegate(const std::string& own, const char* controller) {
  const std::string control = own + "/cgroup.subtree_control";
  const std::string order = fmt::format("+{}", controller);
  if (write_control(control, order)) return true;
  const std::vector<pid_t> here = processes(own);
  if (here.size() != 1 || here.front() != ::getpid()) return false;
  const std::string leaf = own + "/gyre-server";
  return make_folder(leaf) && write_control(leaf + "/cgroup.procs", "0") &&
         write_control(control, order);
}

long count_of(const std::string& file, std::string_view name) {
  std::istringstream text(read_control(file));
  std::string key;
  for (long value = 0; text >> key >> value;) {
    if (key == name) return value;
  }
  return 0;
}

}  // namespace

void TaskGroups::add_to(Records& records) const {
  for (const std::string& folder : folders) records.emplace_back("cgroup", folder);
  for (const auto& [file, content] : settings) {
    records.emplace_back("cgroup_file", file);
    records.emplace_back("cgroup_value", content);
  }
}

TaskGroups TaskGroups::from(const Records& records) {
  TaskGroups groups;
  for (const auto& [name, value] : records) {
    if (name == "cgroup") groups.folders.push_back(value);
    if (name == "cgroup_file") groups.settings.emplace_back(value, "");
    if (name == "cgroup_value" && !groups.settings.empty()) groups.settings.back().second = value;
  }
  return groups;
}

CgroupHost::CgroupHost(const std::string& instance) {
  try_unified(instance);
  try_v1(instance);
  // Of containers that waited for a task when their server and supervisor were killed.
  for (const std::string& parent : {unified_, cpu_v1_, memory_v1_, pids_v1_}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
      if (entry.path().filename().string().starts_with("warm-")) ::rmdir(entry.path().c_str());
    }
  }
  describe();
}

CgroupHost::~CgroupHost() {
  for (const std::string& parent : {unified_, cpu_v1_, memory_v1_, pids_v1_}) {
    if (!parent.empty()) let_go(parent);
  }
}

void CgroupHost::try_unified(const std::string& instance) {
  const std::string own = own_group("cgroup2", "").folder;
  if (own.empty()) return;
  const std::string offered = read_control(own + "/cgroup.controllers");
  const auto has = [&](const char* name) { return offered.find(name) != std::string::npos; };
  const bool cpu = has("cpu") && delegate(own, "cpu");
  const bool memory = has("memory") && delegate(own, "memory");
  const bool pids = has("pids") && delegate(own, "pids");
  if ((has("cpu") && !cpu) || (has("memory") && !memory) || (has("pids") && !pids)) {
    why_not_ = fmt::format(
        "other processes share the group {}; start it in one of its own, as in "
        "systemd-run --user --scope -p Delegate=yes",
        own);
  }
  const std::string parent = own + "/" + instance;
  if (!keep(parent)) {
    why_not_ = fmt::format("cannot make a group below {}: {}", own, error_text(errno));
    return;
  }
  const std::string control = parent + "/cgroup.subtree_control";
  unified_cpu_ = cpu && write_control(control, "+cpu");
  unified_memory_ = memory && write_control(control, "+memory");
  unified_pids_ = pids && write_control(control, "+pids");
  unified_ = parent;
}

void CgroupHost::try_v1(const std::string& instance) {
  const std::string cpu = own_group("cgroup", "cpu").folder;
  if (!unified_cpu_ && !cpu.empty()) {
    cpu_v1_ = usable_parent(cpu + "/" + instance, "cpu.cfs_quota_us", "100000");
  }
  const std::string memory = own_group("cgroup", "memory").folder;
  if (!unified_memory_ && !memory.empty()) {
    memory_v1_ = usable_parent(memory + "/" + instance, "memory.limit_in_bytes", "1073741824");
  }
  const std::string pids = own_group("cgroup", "pids").folder;
  if (!unified_pids_ && !pids.empty()) {
    pids_v1_ = usable_parent(pids + "/" + instance, "pids.max", "1000");
  }
}

void CgroupHost::describe() {
  enforcement_.cpu = unified_cpu_ || !cpu_v1_.empty();
  enforcement_.memory = unified_memory_ || !memory_v1_.empty();
  enforcement_.pids = unified_pids_ || !pids_v1_.empty();
  const std::string reason =
      why_not_.empty() ? "this process may make no control group for it" : why_not_;
  const auto limit = [&](const char* what, bool kept, bool unified, const char* how) {
    enforcement_.lines.push_back(
        kept ? fmt::format("{}: enforced, {} (cgroup v{})", what, how, unified ? 2 : 1)
             : fmt::format("{}: not enforced: {}", what, reason));
  };
  limit("CPU limit", enforcement_.cpu, unified_cpu_, "a task is slowed down to it");
  limit("memory limit", enforcement_.memory, unified_memory_, "a task beyond it is killed");
  limit("process limit", enforcement_.pids, unified_pids_, "a task at it cannot fork");
  const bool grouped =
      !unified_.empty() || enforcement_.cpu || enforcement_.memory || enforcement_.pids;
  enforcement_.lines.push_back(
      grouped ? "end of a task: all that it forked ends with it (cgroup)"
              : "end of a task: all that it forked ends with it (process tree)");
  enforcement_.lines.push_back("GPUs: told by CUDA_VISIBLE_DEVICES, not enforced");
}

TaskGroups CgroupHost::plan(const std::string& name, const Limits& limits) const {
  const auto [cpu, memory, pids_max, all] = limits;
  TaskGroups groups;
  const auto add = [&](const std::string& parent) {
    if (!parent.empty()) groups.folders.push_back(parent + "/" + name);
  };
  add(unified_);
  if (all || cpu.value > 0 || unified_.empty()) add(cpu_v1_);
  if (all || memory.value > 0 || unified_.empty()) add(memory_v1_);
  if (all || pids_max > 0) add(pids_v1_);
  const auto set = [&](const std::string& parent, const char* file, std::string value) {
    groups.settings.emplace_back(fmt::format("{}/{}/{}", parent, name, file), std::move(value));
  };
  const std::int64_t quota = std::max<std::int64_t>(1000, cpu.value * kCpuPeriodUs / 1000);
  if (cpu.value > 0 && unified_cpu_)
    set(unified_, "cpu.max", fmt::format("{} {}", quota, kCpuPeriodUs));
  if (cpu.value > 0 && !cpu_v1_.empty()) {
    set(cpu_v1_, "cpu.cfs_period_us", std::to_string(kCpuPeriodUs));
    set(cpu_v1_, "cpu.cfs_quota_us", std::to_string(quota));
  }
  if (pids_max > 0 && unified_pids_) set(unified_, "pids.max", std::to_string(pids_max));
  if (pids_max > 0 && !pids_v1_.empty()) set(pids_v1_, "pids.max", std::to_string(pids_max));
  const std::string bytes = std::to_string(memory.value * 1'048'576);
  if (memory.value > 0 && unified_memory_) {
    set(unified_, "memory.max", bytes);
    set(unified_, "memory.oom.group", "1");
  }
  if (memory.value > 0 && !memory_v1_.empty()) set(memory_v1_, "memory.limit_in_bytes", bytes);
  return groups;
}

Result<void> create(const TaskGroups& groups) {
  for (const std::string& folder : groups.folders) {
    if (!make_folder(folder))
      return os_error(fmt::format("cannot make the control group {}", folder));
  }
  for (const auto& [file, content] : groups.settings) {
    if (auto done = write_control(file, content); !done) return done;
  }
  return {};
}

Forked fork_into(const TaskGroups& groups) {
  if (!groups.folders.empty()) {
    const Fd group(::open(groups.folders.front().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    clone_args arguments{};
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<std::uint64_t>(group.get());
    const long pid = group ? ::syscall(SYS_clone3, &arguments, sizeof arguments) : -1;
    if (pid >= 0) return {static_cast<pid_t>(pid), 1};
  }
  return {::fork(), 0};
}

bool join(const TaskGroups& groups, std::size_t joined) {
  for (std::size_t i = joined; i < groups.folders.size(); ++i) {
    if (!write_control(groups.folders[i] + "/cgroup.procs", "0")) return false;
  }
  return true;
}

bool kill_all(const TaskGroups& groups) {
  bool none = true;
  for (const std::string& folder : groups.folders) {
    const std::vector<pid_t> pids = processes(folder);
    if (pids.empty()) continue;
    none = false;
    if (write_control(folder + "/cgroup.kill", "1")) continue;
    for (const pid_t pid : pids) ::kill(pid, SIGKILL);
  }
  return none;
}

long memory_kills(const TaskGroups& groups) {
  long kills = 0;
  for (const std::string& folder : groups.folders) {
    kills = std::max({kills, count_of(folder + "/memory.events", "oom_kill"),
                      count_of(folder + "/memory.oom_control", "oom_kill")});
  }
  return kills;
}

std::string process_limit(const TaskGroups& groups) {
  for (const auto& [file, content] : groups.settings) {
    if (file.ends_with("/pids.max")) return content;
  }
  return {};
}

long process_refusals(const TaskGroups& groups) {
  long refusals = 0;
  for (const std::string& folder : groups.folders) {
    refusals = std::max(refusals, count_of(folder + "/pids.events", "max"));
  }
  return refusals;
}

bool remove(const TaskGroups& groups) {
  bool gone = true;
  for (const std::string& folder : groups.folders) {
    if (::rmdir(folder.c_str()) != 0 && errno != ENOENT) gone = false;
  }
  return gone;
}

void remove_parents(const TaskGroups& groups) {
  for (const std::string& folder : groups.folders) {
    ::rmdir(folder.substr(0, folder.rfind('/')).c_str());
  }
}

}  // namespace gyre::process
