#include "agent/agent.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <variant>

namespace gyre::agent {
namespace {

std::string clipped(const std::string& text) { return text.substr(0, act::kGpuTextMax); }

GpuFacts bounded(const GpuFacts& facts) {
  GpuFacts out{facts.index,           clipped(facts.uuid),   clipped(facts.product),
               clipped(facts.bus_id), clipped(facts.driver), {}};
  for (const NvLink& link : facts.links) {
    if (out.links.size() == act::kGpuLinksMax) break;
    out.links.push_back({link.link, clipped(link.remote_bus_id)});
  }
  return out;
}

/// A fault is said again with every report: the one that told it first may be lost.
act::GpuNews news_of(const GpuReading& gpu) {
  act::GpuNews news;
  if (!gpu.fresh && gpu.sample.health == GpuHealth::Ok) return news;
  news.sample = gpu.sample;
  auto& processes = news.sample->processes;
  processes.resize(std::min(processes.size(), act::kGpuProcessesMax));
  return news;
}

/// `told`: what is known of the devices already, and is brought up to date.
act::GpusSeen news_of(const std::vector<GpuReading>& gpus, std::vector<GpuFacts>& told) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  act::GpusSeen seen{{std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()}, {}};
  const std::size_t count = std::min(gpus.size(), act::kGpusSeenMax);
  for (std::size_t i = 0; i < count; ++i) {
    act::GpuNews& news = seen.gpus.emplace_back(news_of(gpus[i]));
    GpuFacts facts = bounded(gpus[i].facts);
    if (i < told.size() && told[i] == facts) continue;
    news.facts = facts;
    if (i == told.size()) told.emplace_back();
    told[i] = std::move(facts);
  }
  return seen;
}

}  // namespace

Agent::Agent(act::Executor& executor, const act::TaskLogs& logs, act::TaskExecs* execs,
             const act::TaskArtifacts* artifacts, act::TaskListener* onlooker,
             act::NodeRepairs* repairs, Images* images, const act::TaskUsages* usages)
    : executor_(executor),
      logs_(logs),
      execs_(execs),
      artifacts_(artifacts),
      onlooker_(onlooker),
      repairs_(repairs),
      images_(images),
      usages_(usages),
      first_words_(logs, [this](const auto& key, Duration after) { spoke(key, after); }) {
  if (images_ != nullptr) images_->listen([this](act::ImageFetched one) { say(std::move(one)); });
  if (repairs_ != nullptr) {
    repairs_->listen([this](act::RepairOver over) { say(std::move(over)); });
  }
  if (execs_ != nullptr) execs_->listen([this](act::ExecReport report) { say(std::move(report)); });
  for (const act::FoundTask& found : executor_.found()) left_.emplace(found.key, found.ended);
  executor_.listen(*this);
}

void Agent::report_to(act::ReportSink* sink) {
  if (sink == nullptr && execs_ != nullptr) execs_->hang_up_all();
  const std::lock_guard guard(sink_mutex_);
  sink_ = sink;
  protocol_ = 0;
  gpus_told_.clear();
  images_told_ = 0;
  usage_told_ = false;
}

std::vector<act::FoundTask> Agent::tasks() const {
  const std::lock_guard guard(mutex_);
  std::vector<act::FoundTask> tasks;
  for (const auto& [key, ended] : left_) tasks.push_back({key, ended});
  for (const auto& [key, known] : known_) tasks.push_back({key, known.exit.has_value()});
  return tasks;
}

void Agent::obey(const act::Order& order) {
  std::visit([this](const auto& one) { carry_out(one); }, order);
}

/// Says again what became of a task that this life looks after; false if it does not yet.
bool Agent::repeat(const act::TaskKey& key, bool adopted) {
  Known known;
  {
    const std::lock_guard guard(mutex_);
    left_.erase(key);
    const auto [found, is_new] = known_.try_emplace(key);
    if (is_new) {
      found->second.adopted = adopted;
      return false;
    }
    known = found->second;
  }
  if (known.started) say(act::TaskBegun{key, *known.started});
  if (known.spoke && wants(act::kProtocolTasks)) say(act::TaskSpoke{key, *known.spoke});
  if (known.exit) say(act::TaskOver{key, *known.exit});
  return true;
}

/// A machine that is being repaired runs nothing.
void Agent::carry_out(const act::TaskStart& task) {
  if (repeat(task.key, false)) return;
  if (repairs_ == nullptr || !repairs_->busy()) return executor_.start(task);
  ended(task.key, {TaskExit::Kind::StartFailed, 0, false, "the node's hardware is being repaired"});
}

void Agent::carry_out(const act::AdoptTask& order) {
  if (!repeat(order.key, true)) executor_.adopt(order.key);
}

void Agent::carry_out(const act::StopTask& order) {
  repeat(order.key, true);
  executor_.stop(order.key, order.options);
}

void Agent::carry_out(const act::ReleaseTask& order) {
  {
    const std::lock_guard guard(mutex_);
    left_.erase(order.key);
    known_.erase(order.key);
  }
  executor_.release(order.key);
}

void Agent::carry_out(const act::DiscardTask& order) {
  bool left = false;
  {
    const std::lock_guard guard(mutex_);
    left = left_.erase(order.key) != 0;
  }
  if (left) return executor_.discard(order.key);
  executor_.stop(order.key, {});  // an executor forgets only what an earlier life left
}

void Agent::carry_out(const act::ReadLog& order) {
  say(act::LogRead{order.id, logs_.read(order.query)});
}

void Agent::carry_out(const act::ReadArtifact& order) {
  act::ArtifactRead read{order.id, fail(ErrorKind::Unsupported, "this node keeps no artifacts")};
  const auto as_answer = [](auto&& one) { return act::ArtifactAnswer{std::move(one)}; };
  if (artifacts_ != nullptr && order.query.path.empty()) {
    read.answer = artifacts_->list(order.query).map(as_answer);
  } else if (artifacts_ != nullptr) {
    read.answer = artifacts_->read(order.query).map(as_answer);
  }
  say(std::move(read));
}

void Agent::carry_out(const act::RepairOrder& order) {
  if (repairs_ != nullptr) return repairs_->carry_out(order, obstacle());
  say(act::RepairOver{order.id, false, "this node's agent repairs nothing"});
}

/// Why the hardware must be left alone: what runs here may hold it, whatever the server believes.
std::string Agent::obstacle() const {
  for (const act::FoundTask& task : tasks()) {
    if (!task.ended) return "task " + act::to_string(task.key) + " still runs on the node";
  }
  return "";
}

void Agent::carry_out(const act::ExecOrder& order) {
  if (execs_ != nullptr) return execs_->obey(order);
  if (!std::holds_alternative<act::ExecStart>(order)) return;
  say(act::ExecReport{act::ExecEnded{
      act::exec_id(order), fail(ErrorKind::Unsupported, "this node runs no commands in tasks")}});
}

void Agent::carry_out(const act::FetchImage& order) {
  if (images_ != nullptr) images_->fetch(order);
}

void Agent::carry_out(const act::GrantLease& grant) {
  {
    const std::lock_guard guard(sink_mutex_);
    protocol_ = grant.protocol;
  }
  if (grant.beat == 0) tell_images();
}

void Agent::tell_images() {
  if (images_ == nullptr) return;
  const std::uint64_t version = images_->version();
  const std::lock_guard guard(sink_mutex_);
  if (sink_ == nullptr || protocol_ < act::kProtocolImages || images_told_ == version) return;
  images_told_ = version;
  sink_->say(images_->held());
}

void Agent::tell_usage() {
  constexpr int kShare = 50;
  using Clock = std::chrono::steady_clock;
  const auto begun = Clock::now();
  if (usages_ == nullptr || begun < next_usage_ || !wants(act::kProtocolTasks)) return;
  act::TasksUsed all;
  {
    const std::lock_guard guard(mutex_);
    for (const auto& [key, known] : known_) {
      if (all.tasks.size() == act::kTasksUsedMax) break;
      if (known.started && !known.exit) all.tasks.push_back({key, {}});
    }
  }
  for (act::TaskUse& task : all.tasks) task.used = usages_->usage(task.key);
  next_usage_ = begun + (Clock::now() - begun) * kShare;
  const std::lock_guard guard(sink_mutex_);
  if (sink_ == nullptr || protocol_ < act::kProtocolTasks) return;
  if (!std::exchange(usage_told_, !all.tasks.empty()) && all.tasks.empty()) return;
  sink_->say(std::move(all));
}

/// Whether a server is connected that knows what that protocol has.
bool Agent::wants(std::uint32_t protocol) {
  const std::lock_guard guard(sink_mutex_);
  return sink_ != nullptr && protocol_ >= protocol;
}

void Agent::spoke(const act::TaskKey& key, Duration after) {
  {
    const std::lock_guard guard(mutex_);
    const auto known = known_.find(key);
    if (known != known_.end()) known->second.spoke = after;
  }
  if (wants(act::kProtocolTasks)) say(act::TaskSpoke{key, after});
}

void Agent::gpus_seen(const std::vector<GpuReading>& gpus) {
  const std::lock_guard guard(sink_mutex_);
  if (sink_ == nullptr || protocol_ < act::kProtocolGpus) return;
  sink_->say(news_of(gpus, gpus_told_));
}

void Agent::started(const act::TaskKey& key, const StartStages& stages) {
  if (onlooker_ != nullptr) onlooker_->started(key, stages);
  bool seen = false;
  {
    const std::lock_guard guard(mutex_);
    const auto known = known_.find(key);
    if (known != known_.end()) known->second.started = stages;
    seen = known != known_.end() && !known->second.adopted;
  }
  say(act::TaskBegun{key, stages});
  if (seen) first_words_.began(key);
}

/// The first end counts: a task that was refused here ends once more where it is stopped.
void Agent::ended(const act::TaskKey& key, const TaskExit& exit) {
  {
    const std::lock_guard guard(mutex_);
    const auto known = known_.find(key);
    if (known != known_.end() && known->second.exit) return;
    if (known != known_.end()) known->second.exit = exit;
  }
  if (onlooker_ != nullptr) onlooker_->ended(key, exit);
  first_words_.ended(key);
  say(act::TaskOver{key, exit});
}

void Agent::say(act::Report report) {
  const std::lock_guard guard(sink_mutex_);
  if (sink_ != nullptr) sink_->say(std::move(report));
}

}  // namespace gyre::agent
