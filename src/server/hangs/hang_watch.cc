#include "server/hangs/hang_watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "act/gang_start.h"

namespace gyre::server {
namespace {

constexpr std::chrono::seconds kLookPause{1};
constexpr Duration kPauseMin = seconds(1);  // between two looks at one task
constexpr Duration kPauseMax = seconds(30);
constexpr int kLooksPerHeartbeat = 10;
constexpr double kBusyMin = 0.01;            // of the time: less is no work
constexpr std::size_t kReadMax = 1'000'000;  // bytes of a log at a look
constexpr int kReadsOpenMax = 256;           // tasks whose logs are being read

bool holds_devices(JobState state) {
  return state == JobState::Starting || state == JobState::Running;
}

}  // namespace

HangPorts hang_ports(live::Inbox& inbox, live::Fleet& fleet) {
  return {
      [&inbox](live::Query query) { return inbox.ask(std::move(query)); },
      [&fleet](const act::LogQuery& query, live::Done<act::LogChunk> done) {
        fleet.read_log(query, std::move(done));
      },
      [&inbox](Event::Body body) { inbox.post(std::move(body), nullptr); },
      [] {
        return Duration{
            std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count()};
      }};
}

HangWatch::HangWatch(const control::Controller& core, const Telemetry& telemetry, HangPorts ports)
    : telemetry_(telemetry), ports_(std::move(ports)) {
  core.jobs().for_each([this](const Job& job) {
    if (job.spec->progress && holds_devices(job.state)) jobs_.insert(job.id);
  });
}

HangWatch::~HangWatch() {
  {
    const std::lock_guard guard(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void HangWatch::start() {
  thread_ = std::thread([this] { work(); });
}

void HangWatch::work() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kLookPause, [this] { return stop_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void HangWatch::after(const Event& event, const control::Decisions&,
                      const control::Controller& core) {
  const auto* started = std::get_if<TaskStarted>(&event.body);
  if (started == nullptr) return;
  const Job* job = core.jobs().find(started->job);
  if (job != nullptr && job->spec->progress) jobs_.insert(job->id);
}

// --- what runs -----------------------------------------------------------------------------------

/// The answer is for the next look: the driver is not waited for.
void HangWatch::ask() {
  const auto asked = ports_.ask([this](const control::Controller& core) {
    std::vector<Task> tasks = running(core);
    const std::lock_guard guard(mutex_);
    running_ = std::move(tasks);
    asked_ = false;
  });
  if (asked) return;
  const std::lock_guard guard(mutex_);
  asked_ = false;
}

std::vector<HangWatch::Task> HangWatch::running(const control::Controller& core) {
  std::vector<Task> tasks;
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    const Job* job = core.jobs().find(*it);
    if (job == nullptr || !holds_devices(job->state)) {
      it = jobs_.erase(it);
      continue;
    }
    for (const TaskPlacement& placed : job->placement) {
      const auto rank = static_cast<std::size_t>(placed.rank);
      if (job->state == JobState::Running && job->tasks[rank] == TaskState::Running) {
        tasks.push_back(look_at(*job, placed));
      }
    }
    ++it;
  }
  return tasks;
}

HangWatch::Task HangWatch::look_at(const Job& job, const TaskPlacement& placed) const {
  Task task{act::key_of(job, placed.rank), *job.spec->progress};
  const UsageWatch::Task* usage = telemetry_.usage.find(task.key);
  if (usage == nullptr) return task;
  for (const UsageWatch::Device& device : usage->devices) {
    const auto used = telemetry_.gpus.usage(device.node, device.device);
    if (!used) continue;
    task.sees_gpus = true;
    task.seen_s += used->seen_seconds;
    task.busy_s += used->busy_seconds;
  }
  return task;
}

// --- judgement -----------------------------------------------------------------------------------

void HangWatch::look() {
  std::optional<std::vector<Task>> tasks;
  bool asks = false;
  {
    const std::lock_guard guard(mutex_);
    tasks = std::exchange(running_, std::nullopt);
    asks = !std::exchange(asked_, true);
  }
  if (asks) ask();
  if (!tasks) return;
  const Duration now = ports_.clock();
  std::map<act::TaskKey, Line> lines;
  int open = 0;
  for (const Task& task : *tasks) {
    auto known = lines_.find(task.key);
    Line& line = lines[task.key];
    if (known != lines_.end()) {
      line = std::move(known->second);
      judge(task, line);
    } else {
      line.alive_at = now;
      line.seen_s = task.seen_s;
      line.busy_s = task.busy_s;
    }
    bool reads = false;
    {
      const std::lock_guard guard(*reads_);
      reads = line.watched->reads_open > 0;
    }
    if (!reads && line.next_at <= now && open < kReadsOpenMax) {
      const Duration pause{task.progress.heartbeat.ns / kLooksPerHeartbeat};
      line.next_at = now + std::clamp(pause, kPauseMin, kPauseMax);
      read(task, line, now);
      reads = true;
    }
    open += reads ? 1 : 0;
  }
  lines_ = std::move(lines);
}

/// By its log and its GPUs, since the look before.
bool HangWatch::is_alive(const Task& task, Line& line) const {
  bool alive = std::exchange(line.watched->alive, false);
  if (!task.sees_gpus) return alive;
  const double seen = task.seen_s - std::exchange(line.seen_s, task.seen_s);
  const double busy = task.busy_s - std::exchange(line.busy_s, task.busy_s);
  return alive || seen <= 0 || busy > kBusyMin * seen;
}

void HangWatch::judge(const Task& task, Line& line) {
  {
    const std::lock_guard guard(*reads_);
    if (!std::exchange(line.watched->read, false)) return;
    if (is_alive(task, line)) {
      line.alive_at = line.read_at;
      line.suspect = false;
      return;
    }
  }
  const Duration idle = line.read_at - line.alive_at;
  if (idle <= task.progress.heartbeat) return;
  if (!std::exchange(line.suspect, true)) return;
  ports_.tell(TaskStalled{task.key.job, task.key.attempt, task.key.rank, idle});
  line.alive_at = line.read_at;  // where the core leaves it alone, it is told again when it is due
  line.suspect = false;
}

void HangWatch::read(const Task& task, Line& line, Duration now) {
  line.read_at = now;
  act::LogQuery query;
  query.job = task.key.job;
  query.attempt = task.key.attempt;
  query.rank = task.key.rank;
  std::array<act::LogQuery, 2> queries;
  {
    const std::lock_guard guard(*reads_);
    Watched& watched = *line.watched;
    watched.reads_open = static_cast<int>(queries.size());
    for (std::size_t i = 0; i < queries.size(); ++i) {
      queries[i] = query;
      queries[i].stream = static_cast<act::LogStream>(i);
      queries[i].offset = watched.searches[i].offset();
      queries[i].bytes_max = watched.searches[i].begun() ? kReadMax : 0;
    }
  }
  for (std::size_t i = 0; i < queries.size(); ++i) {
    ports_.read_log(queries[i], [i, lock = reads_, watched = line.watched,
                                 text = task.progress.line](Result<act::LogChunk> chunk) {
      const std::lock_guard guard(*lock);
      LogSearch& search = watched->searches[i];
      watched->alive = watched->alive || (chunk && chunk->stuck);
      if (!chunk) {
        watched->alive = watched->alive || chunk.error().kind == ErrorKind::Unavailable;
      } else if (!search.begun()) {
        search.begin_at_end(*chunk);
        watched->alive = watched->alive || chunk->size > 0;
      } else {
        // What is left out of a log that grows too fast may have been a heartbeat.
        const bool grew = chunk->size > search.offset();
        const bool unread = chunk->size > chunk->next_offset + LogSearch::kLookedAtMax;
        const bool beat = search.beats(*chunk, text);
        watched->alive = watched->alive || beat || (text.empty() ? grew : unread);
      }
      if (--watched->reads_open == 0) watched->read = true;
    });
  }
}

}  // namespace gyre::server
