#include "adapter/mps/mps_executor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

namespace gyre::mps {
namespace {

namespace fs = std::filesystem;

/// A folder name that is short, since sockets lie below it, and that no other device of a machine
/// has: the last part of "GPU-5c2a0f6e-0000-4000-8000-000000000001".
std::string name_of(const std::string& device) {
  std::string name = device.substr(device.rfind('-') + 1);
  std::erase_if(name, [](unsigned char c) { return std::isalnum(c) == 0; });
  return name.empty() ? "0" : name;
}

std::string mark_path(const std::string& folder, const act::TaskKey& key) {
  return folder + "/tasks/" + act::to_string(key);
}

bool has_tasks(const std::string& folder) {
  std::error_code error;
  return fs::directory_iterator(folder + "/tasks", error) != fs::directory_iterator();
}

std::string percentage(GpuMilli share) {
  const std::int32_t tenths = std::max(share.value, 1);
  return tenths % 10 == 0 ? std::to_string(tenths / 10)
                          : fmt::format("{}.{}", tenths / 10, tenths % 10);
}

}  // namespace

MpsExecutor::MpsExecutor(MpsOptions options, act::Executor& inner)
    : options_(std::move(options)), inner_(inner) {}

MpsExecutor::~MpsExecutor() {
  close();
  for (auto& [name, watched] : daemons_) ::close(watched.process);
  if (wake_ >= 0) ::close(wake_);
}

void MpsExecutor::close() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  const std::uint64_t one = 1;
  if (wake_ >= 0) static_cast<void>(!write(wake_, &one, sizeof(one)));
  if (thread_.joinable()) thread_.join();
}

void MpsExecutor::listen(act::TaskListener& listener) {
  listener_ = &listener;
  take_up();
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  inner_.listen(*this);
  thread_ = std::thread([this] { run(); });
}

/// Daemons of an earlier life; those whose tasks are all gone end.
void MpsExecutor::take_up() {
  std::set<std::string> known;
  for (const act::FoundTask& task : inner_.found()) known.insert(act::to_string(task.key));
  std::error_code error;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    names.push_back(entry.path().filename());
  }
  for (const std::string& name : names) {
    for (const auto& mark : fs::directory_iterator(folder_of(name) + "/tasks", error)) {
      if (!known.contains(mark.path().filename())) fs::remove(mark.path(), error);
    }
    if (const auto daemon = find_daemon(folder_of(name))) {
      daemons_[name] = {*daemon, watch_process(daemon->pid)};
    }
    quit_if_idle(name);
  }
}

void MpsExecutor::start(const act::TaskStart& task) {
  if (task.gpu_sharing != Sharing::Mps || task.gpu_devices.empty()) return inner_.start(task);
  {
    const std::lock_guard lock(mutex_);
    if (!pending_.insert(task.key).second) return;
  }
  post(task);
}

void MpsExecutor::stop(const act::TaskKey& key, const act::StopOptions& options) {
  bool waits = false;
  {
    const std::lock_guard lock(mutex_);
    waits = pending_.contains(key);
  }
  if (!waits) return inner_.stop(key, options);
  post(Stop{key, options});  // behind its start
}

void MpsExecutor::discard(const act::TaskKey& key) {
  inner_.discard(key);
  post(Forget{key});
}

void MpsExecutor::started(const act::TaskKey& key, const StartStages& stages) {
  listener_->started(key, stages);
}

void MpsExecutor::ended(const act::TaskKey& key, const TaskExit& exit) {
  listener_->ended(key, exit);
  post(Forget{key});
}

void MpsExecutor::post(Work work) {
  {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  static_cast<void>(!write(wake_, &one, sizeof(one)));
}

void MpsExecutor::run() {
  for (;;) {
    std::deque<Work> work;
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return;
      work.swap(work_);
    }
    for (Work& item : work) {
      std::visit([this](auto& what) { carry_out(what); }, item);
    }
    if (work.empty()) watch_once();
  }
}

/// Waits until there is work or a daemon has ended.
void MpsExecutor::watch_once() {
  std::vector<pollfd> ends{{wake_, POLLIN, 0}};
  std::vector<std::string> names{""};
  for (const auto& [name, watched] : daemons_) {
    ends.push_back({watched.process, POLLIN, 0});
    names.push_back(name);
  }
  if (poll(ends.data(), ends.size(), -1) <= 0) return;
  std::uint64_t count = 0;
  static_cast<void>(!read(wake_, &count, sizeof(count)));
  for (std::size_t i = 1; i < ends.size(); ++i) {
    if (ends[i].revents == 0) continue;
    const Watched gone = daemons_[names[i]];
    daemons_.erase(names[i]);
    ::close(gone.process);
    std::error_code error;
    const auto tasks = std::distance(fs::directory_iterator(folder_of(names[i]) + "/tasks", error),
                                     fs::directory_iterator());
    if (options_.notice && tasks > 0) {
      options_.notice(
          fmt::format("warning: the MPS daemon of GPU {} (process {}) has ended by itself: CUDA "
                      "calls of the {} "
                      "task{} that share it fail from here on; the next task gets a new daemon",
                      names[i], gone.daemon.pid, tasks, tasks == 1 ? "" : "s"));
    }
  }
}

Result<std::string> MpsExecutor::prepare(const act::TaskStart& task) {
  const std::string name = name_of(task.gpu_devices.front());
  const std::string folder = folder_of(name);
  const auto known = daemons_.find(name);
  // Looked for, not believed: a daemon may have ended a moment ago.
  if (known == daemons_.end() || !find_daemon(folder)) {
    if (known != daemons_.end()) {
      ::close(known->second.process);
      daemons_.erase(known);
    }
    const auto fresh = start_daemon(options_.control, folder, task.gpu_devices.front());
    if (!fresh) return tl::unexpected(fresh.error());
    daemons_[name] = {*fresh, watch_process(fresh->pid)};
  }
  std::error_code error;
  fs::create_directories(folder + "/tasks", error);
  if (!std::ofstream(mark_path(folder, task.key))) {
    return fail(ErrorKind::Internal, "cannot write {}", mark_path(folder, task.key));
  }
  return folder;
}

void MpsExecutor::carry_out(act::TaskStart& task) {
  const auto folder = prepare(task);
  if (folder) {
    task.env.emplace_back("CUDA_MPS_PIPE_DIRECTORY", *folder);
    task.env.emplace_back("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", percentage(task.gpu_milli));
    if (task.gpu_memory.value > 0) {
      task.env.emplace_back("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT",
                            fmt::format("0={}M", task.gpu_memory.value));
    }
    if (!task.container.image.empty()) task.container.volumes.push_back({*folder, *folder, false});
    inner_.start(task);
  }
  {
    const std::lock_guard lock(mutex_);
    pending_.erase(task.key);
  }
  if (folder) return;
  listener_->ended(task.key, {TaskExit::Kind::StartFailed, 0, false, folder.error().message});
}

void MpsExecutor::carry_out(const Forget& forget) {
  std::vector<std::string> names;
  for (const auto& [name, watched] : daemons_) names.push_back(name);
  for (const std::string& name : names) {
    std::error_code error;
    if (fs::remove(mark_path(folder_of(name), forget.key), error)) quit_if_idle(name);
  }
}

void MpsExecutor::quit_if_idle(const std::string& name) {
  if (has_tasks(folder_of(name))) return;
  const auto known = daemons_.find(name);
  if (known != daemons_.end()) {
    quit_daemon(options_.control, known->second.daemon);
    ::close(known->second.process);
    daemons_.erase(known);
  }
  std::error_code error;
  fs::remove_all(folder_of(name), error);
}

}  // namespace gyre::mps
