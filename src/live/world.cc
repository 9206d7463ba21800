#include "live/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "act/gang_start.h"
#include "base/assert.h"
#include "base/units.h"
#include "live/admission.h"
#include "live/opening.h"

namespace gyre::live {
namespace {

/// The clock may be set while the world waits for a moment, so it looks again this often.
constexpr Duration kClockLookMax = seconds(1);
constexpr std::size_t kOrphansNamedMax = 20;  // in one line

/// 0 for what is of no job.
JobId job_of(const Command& command) {
  if (const auto* start = std::get_if<StartGang>(&command.body)) return start->job;
  if (const auto* stop = std::get_if<StopGang>(&command.body)) return stop->job;
  if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) return anew->job;
  return {};
}

act::TaskKey key_of(const Job& job, std::size_t index) {
  return act::key_of(job, job.placement[index].rank);
}

}  // namespace

World::World(const control::Controller& core, Inbox& inbox, Fleet& fleet, WorldOptions options)
    : core_(core),
      inbox_(inbox),
      fleet_(fleet),
      opening_(std::exchange(options.opening, {})),
      options_(std::move(options)),
      clock_(options_.clock, core.now()),
      last_(core.now()),
      seq_(core.last_event()),
      durable_(core.last_event()) {
  core.jobs().for_each([this](const Job& job) {
    if (!job.submission_key.empty()) jobs_by_key_.emplace(job.submission_key, job.id);
  });
  std::uint32_t id = 0;
  for (const Node& node : core.cluster().nodes()) {
    if (node.up) fleet.expect(NodeId{id}, node.spec.name, node.silent);
    ++id;
  }
}

World::~World() {
  const auto refuse = [](const auto& done) {
    if (!done) return;
    done(fail(ErrorKind::Unavailable,
              "the server ended before this was durable; ask again when it is back"));
  };
  for (const Admitted& admitted : admitted_) refuse(admitted.durable);
  for (const Waiting& waiting : waiting_) refuse(waiting.durable);
  inbox_.shutdown();
  while (auto request = inbox_.take()) {
    if (auto* submission = std::get_if<Inbox::Submission>(&*request)) refuse(submission->done);
    if (auto* posting = std::get_if<Inbox::Posting>(&*request)) refuse(posting->done);
  }
}

// --- events --------------------------------------------------------------------------------------

std::optional<Event> World::next(std::optional<Time> deadline) {
  for (;;) {
    if (is_durable() && opening_.empty()) {
      for (const Query& query : inbox_.take_queries()) query(core_);
    }
    look_at_storage();
    if (admit_next()) {
      Admitted ready = std::move(admitted_.front());
      admitted_.pop_front();
      const Event event = stamp(std::move(ready.body), now());
      waiting_.push_back({seq_, std::move(ready.durable)});
      return event;
    }
    const Time time = now();
    if (deadline && time >= *deadline) return stamp(Tick{}, *deadline);
    if (inbox_.is_over()) return std::nullopt;
    std::optional<Duration> wait_max;
    if (deadline) wait_max = std::min(*deadline - time, kClockLookMax);
    if (const auto pause = fleet_.watch_pause()) {
      wait_max = std::min(wait_max.value_or(*pause), *pause);
    }
    if (options_.storage != nullptr && options_.storage->is_short()) {
      wait_max = std::min(wait_max.value_or(Storage::kLookPause), Storage::kLookPause);
    }
    inbox_.wait(wait_max);
  }
}

Event World::stamp(Event::Body body, Time at) {
  if (const auto* submitted = std::get_if<JobSubmitted>(&body)) remember_key(*submitted);
  if (const auto* lost = std::get_if<NodeLost>(&body)) fence_tasks(lost->node);
  last_ = std::max(last_, at);
  seq_ = {seq_.value + 1};
  return {last_, seq_, std::move(body)};
}

Time World::now() {
  const Time time = clock_.now();
  if (std::exchange(clock_steps_seen_, clock_.steps_back()) != clock_.steps_back()) {
    notice(
        fmt::format("the machine's clock is {} behind what was recorded: it was set back. Gyre's "
                    "time goes on at half speed until they meet",
                    format_duration(clock_.ahead())));
  }
  return time;
}

bool World::await_room(const Error& why) {
  if (options_.storage == nullptr) return false;
  if (options_.storage->fails(why)) {
    notice(fmt::format("{}; nothing is accepted until that is over", why.message));
    inbox_.close(options_.storage->refusal());
  }
  return !inbox_.wait_for_shutdown(Storage::kLookPause);
}

/// Says what is over.
void World::look_at_storage() const {
  if (options_.storage == nullptr) return;
  auto healed = options_.storage->healed();
  if (!healed) return;
  notice(fmt::format("the journal can be written again: {}", healed->evidence));
  admitted_.push_back({std::move(*healed), nullptr});
}

void World::committed(EventSeq seq) {
  durable_ = seq;
  if (options_.storage != nullptr && options_.storage->works()) inbox_.reopen();
  while (!waiting_.empty() && waiting_.front().seq <= seq) {
    const Durable durable = std::move(waiting_.front().durable);
    waiting_.pop_front();
    if (durable) durable(seq);
  }
}

// --- admission -----------------------------------------------------------------------------------

/// True if something is ready to be stamped. What is refused is told so on the way.
bool World::admit_next() const {
  while (admitted_.empty()) {
    if (!opening_.empty()) {
      Inbox::Posting first{std::move(opening_.front()), {}};
      opening_.pop_front();
      admit(first);
      continue;
    }
    if (look_at_fleet()) return true;
    auto request = inbox_.take();
    if (!request) return false;
    std::visit([this](auto& one) { admit(one); }, *request);
  }
  return true;
}

bool World::look_at_fleet() const {
  for (Event::Body& body : fleet_.watch()) {
    if (const auto* lost = std::get_if<NodeLost>(&body)) {
      notice(fmt::format("node {} is lost: {}", core_.cluster().node(lost->node).spec.name,
                         lost->cause));
    }
    admitted_.push_back({std::move(body), nullptr});
  }
  return !admitted_.empty();
}

bool World::admit(Inbox::Submission& submission) const {
  if (admit_repeated(submission)) return false;
  if (const auto allowed = check(submission); !allowed) {
    submission.done(tl::unexpected(allowed.error()));
    return false;
  }
  // Still the next id when it is stamped: the core takes no step between.
  const JobId job{std::max(core_.jobs().last().value + 1, options_.first_job.value)};
  admitted_.push_back(
      {JobSubmitted{job, std::move(submission.spec), std::move(submission.submission_key)},
       [job, done = std::move(submission.done)](const Result<EventSeq>& seq) {
         done(seq.map([job](EventSeq) { return job; }));
       }});
  return true;
}

/// True if its key was seen before: the answer is that job's id, or that it was another one's.
bool World::admit_repeated(const Inbox::Submission& submission) const {
  const auto known = jobs_by_key_.find(submission.submission_key);
  if (known == jobs_by_key_.end()) return false;
  const Job* job = core_.jobs().find(known->second);
  if (job == nullptr) return false;
  JobSpec again = submission.spec;  // a client that tries again may do so in another trace
  again.launch.trace_parent = job->spec->launch.trace_parent;
  if (job->spec != again) {
    submission.done(
        fail(ErrorKind::Conflict,
             "the submission key '{}' was used for job {}, which differs; use a new key",
             submission.submission_key, job->id.value));
    return true;
  }
  tell_when_durable([id = job->id, done = submission.done](const Result<EventSeq>& seq) {
    done(seq.map([id](EventSeq) { return id; }));
  });
  return true;
}

Result<void> World::check(const Inbox::Submission& submission) const {
  if (options_.storage != nullptr) {
    if (auto room = options_.storage->takes_jobs(); !room) return room;
  }
  if (core_.jobs().size() >= options_.jobs_max) {
    return fail(ErrorKind::Unavailable,
                "{} jobs are known already, which is the limit; wait for some to end",
                core_.jobs().size());
  }
  if (auto launchable = check_launch(submission.spec.launch); !launchable) return launchable;
  return core_.check(submission.spec);
}

bool World::admit(Inbox::Posting& posting) const {
  if (const auto allowed = check_event(posting.body, core_); !allowed) {
    if (posting.done) posting.done(tl::unexpected(allowed.error()));
    return false;
  }
  admitted_.push_back({std::move(posting.body), std::move(posting.done)});
  return true;
}

/// What the core cannot use, as of an attempt that it has given up, is not journalled.
bool World::admit(Inbox::TaskReport& report) const {
  const act::TaskKey key = report.key;
  const auto release = [this, key, node = report.node](const Result<EventSeq>& seq) {
    if (seq) fleet_.send(node, act::ReleaseTask{key});
  };
  if (!is_open_on(key, report.node)) {
    if (report.exit) release(seq_);
    return false;
  }
  if (report.exit) {
    admitted_.push_back(
        {TaskEnded{key.job, key.attempt, key.rank, std::move(*report.exit)}, release});
  } else {
    admitted_.push_back({TaskStarted{key.job, key.attempt, key.rank, report.stages}, nullptr});
  }
  return true;
}

bool World::admit(Inbox::Arrival& arrival) const {
  NodeArrival node = node_arrival(core_, arrival.hello.node);
  const bool known = node.node.value < core_.cluster().nodes().size();
  if (auto may =
          fleet_.check_arrival(arrival.session, known ? std::optional(node.node) : std::nullopt);
      !may) {
    fleet_.refuse(arrival.session, may.error());
    return false;
  }
  if (node.changed && end_all_of(arrival)) return false;
  // What is submitted from now on may be given the name of a task that another store left.
  const auto durable = [this, session = arrival.session, id = node.node, last = core_.jobs().last(),
                        hello = std::move(arrival.hello)](const Result<EventSeq>& seq) {
    if (seq) take_in(session, id, hello, last);
  };
  if (node.events.empty()) {
    tell_when_durable(durable);
    return false;
  }
  for (Event::Body& body : node.events) admitted_.push_back({std::move(body), nullptr});
  admitted_.back().durable = durable;
  return true;
}

/// Only what has changed is journalled.
bool World::admit(Inbox::ImagesReport& report) const {
  if (!core_.cluster().node(report.node).up) return false;
  std::sort(report.images.begin(), report.images.end());
  report.images.erase(std::unique(report.images.begin(), report.images.end()), report.images.end());
  const std::span<const HeldImage> before = core_.images().images(report.node);
  NodeImagesSeen seen{report.node, {}, {}};
  std::set_difference(report.images.begin(), report.images.end(), before.begin(), before.end(),
                      std::back_inserter(seen.added));
  std::set_difference(before.begin(), before.end(), report.images.begin(), report.images.end(),
                      std::back_inserter(seen.removed));
  if (seen.added.empty() && seen.removed.empty()) return false;
  admitted_.push_back({std::move(seen), nullptr});
  return true;
}

/// A node whose resources have changed is given up with all its tasks: none may go on beside its
/// successor. True while some do.
bool World::end_all_of(const Inbox::Arrival& arrival) const {
  bool any = false;
  for (const act::FoundTask& found : arrival.hello.tasks) {
    if (found.ended) continue;
    any = true;
    fleet_.order(arrival.session, act::StopTask{found.key, {}});
  }
  if (any) {
    fleet_.refuse(arrival.session,
                  {ErrorKind::Unavailable,
                   "the node's resources have changed, so its tasks are being ended first"});
  }
  return any;
}

void World::tell_when_durable(Durable durable) const {
  if (is_durable()) return durable(seq_);
  waiting_.push_back({seq_, std::move(durable)});
}

void World::remember_key(const JobSubmitted& submitted) {
  if (submitted.submission_key.empty()) return;
  if (jobs_by_key_.size() > 2 * core_.jobs().size() + 1'000) {
    std::erase_if(jobs_by_key_,
                  [this](const auto& entry) { return core_.jobs().find(entry.second) == nullptr; });
  }
  jobs_by_key_[submitted.submission_key] = submitted.job;
}

// --- commands ------------------------------------------------------------------------------------

void World::submit(const Command& command) {
  std::visit([this](const auto& body) { carry_out(body); }, command.body);
}

/// nullptr: it is not placed.
const Job* World::placed(JobId id) const {
  const Job* job = core_.jobs().find(id);
  return job != nullptr && is_placed(job->state) ? job : nullptr;
}

/// True if the core waits for that task's end.
bool World::is_open(const act::TaskKey& key) const {
  const Job* job = placed(key.job);
  const auto rank = static_cast<std::size_t>(key.rank);
  return job != nullptr && attempt_of(*job, key.rank) == key.attempt && rank < job->tasks.size() &&
         job->tasks[rank] != TaskState::Ended;
}

bool World::is_open_on(const act::TaskKey& key, NodeId node) const {
  return is_open(key) &&
         placed(key.job)->placement[static_cast<std::size_t>(key.rank)].node == node;
}

/// What cannot be sent now is sent when the node that it waits for has come: see take_in(). Of one
/// that was overtaken within its own batch nothing is.
void World::carry_out(const StartGang& gang) const {
  const Job* job = placed(gang.job);
  if (job == nullptr) return;
  for (const TaskPlacement& task : job->placement) {
    if (attempt_of(*job, task.rank) == gang.attempt) start_task(*job, task);
  }
}

void World::carry_out(const ReplaceTask& anew) const {
  const Job* job = placed(anew.job);
  if (job == nullptr || attempt_of(*job, anew.task.rank) != anew.attempt) return;
  start_task(*job, job->placement[static_cast<std::size_t>(anew.task.rank)]);
}

void World::start_task(const Job& job, const TaskPlacement& task) const {
  if (job.tasks[static_cast<std::size_t>(task.rank)] != TaskState::Starting) return;
  const auto leader = fleet_.place(job.placement.front().node);
  auto place = fleet_.place(task.node);
  if (!leader || !place) return;
  const NodeSpec& node = core_.cluster().node(task.node).spec;
  fleet_.send(task.node, act::task_start(job, task,
                                         {.leader_address = leader->address,
                                          .devices = std::move(place->devices),
                                          .virtual_gpus = node.virtual_gpus,
                                          .gpu_model = node.gpu_model,
                                          .gpu_memory = node.gpu_memory}));
}

void World::carry_out(const StopGang& gang) const {
  const Job* job = placed(gang.job);
  if (job == nullptr || job->attempt != gang.attempt) return;
  act::StopOptions options{.checkpoint_signal = 0, .grace = gang.grace};
  if (gang.cause == Termination::Preempted)
    options.checkpoint_signal = job->spec->checkpoint.signal;
  for (std::size_t i = 0; i < job->placement.size(); ++i) {
    if (!is_open(key_of(*job, i))) continue;
    fleet_.send(job->placement[i].node, act::StopTask{key_of(*job, i), options});
  }
}

/// As with a gang's start.
void World::carry_out(const RepairNode& order) const {
  const auto& underway = core_.healer().health(order.node).underway;
  if (!underway || underway->at != order.asked_at) return;  // overtaken within its own batch
  const auto place = fleet_.place(order.node);
  if (!place) return;
  const auto refuse = [&](std::string why) {
    inbox_.post(RepairEnded{order.node, underway->command, false, std::move(why)}, nullptr);
  };
  if (place->protocol < act::kProtocolRepairs) {
    return refuse("the node's agent is of a release that repairs nothing; install this one there");
  }
  act::RepairOrder to_do{underway->command, order.asked_at, order.repair, "", order.limit};
  if (order.device >= 0) {
    const auto device = static_cast<std::size_t>(order.device);
    if (device >= place->devices.size()) return refuse("the node has no such GPU any more");
    to_do.device = place->devices[device];
  }
  fleet_.send(order.node, to_do);
}

/// Lost where the node is not there, or too old: the job fetches it when it starts.
void World::carry_out(const PrefetchImage& order) const {
  const Job* job = core_.jobs().find(order.job);
  if (job == nullptr) return;
  const ContainerSpec& container = job->spec->launch.container;
  static_cast<void>(fleet_.fetch_image(order.node, {container.image, container.registry_login}));
}

void World::carry_out(const FreezeGang& gang) const {
  const Job* job = placed(gang.job);
  if (job == nullptr || gang_attempt(*job) != gang.attempt) return;
  for (std::size_t i = 0; i < job->placement.size(); ++i) {
    if (is_open(key_of(*job, i))) {
      fleet_.freeze(job->placement[i].node, {key_of(*job, i), gang.frozen});
    }
  }
}

/// The core gives up a lost node's tasks; none of them may go on beside its successor.
void World::fence_tasks(NodeId node) {
  core_.jobs().for_each([&](const Job& job) {
    for (std::size_t i = 0; i < job.placement.size(); ++i) {
      const act::TaskKey key = key_of(job, i);
      if (job.placement[i].node != node || !is_open(key)) continue;
      waiting_.push_back({{seq_.value + 1}, [this, key, node](const Result<EventSeq>& seq) {
                            if (seq) fleet_.send(node, act::StopTask{key, {}});
                          }});
    }
  });
}

// --- nodes that come -----------------------------------------------------------------------------

/// Takes up where the connection before this one, or an earlier life, stopped: adopts tasks that
/// run, learns of those that ended meanwhile, starts those that never did, and ends those that the
/// core knows nothing of. `last`: the last job when it came.
void World::take_in(std::uint64_t session, NodeId node, const act::Hello& hello, JobId last) const {
  if (!fleet_.bind(session, node, hello)) return;
  std::vector<std::string> orphans;
  for (const act::FoundTask& found : hello.tasks) {
    const bool known = take_up(found, node, last);
    if (!known && !found.ended) orphans.push_back(act::to_string(found.key));
  }
  tell_of_orphans(node, std::move(orphans));
  core_.jobs().for_each([&](const Job& job) {
    const bool being_stopped = job.state == JobState::Preempting || job.state == JobState::Stopping;
    for (std::size_t i = 0; i < job.placement.size(); ++i) {
      const act::TaskKey key = key_of(job, i);
      const bool may_run = being_stopped || job.tasks[i] == TaskState::Running;
      if (!may_run || !is_open_on(key, node)) continue;
      fleet_.send(node, act::AdoptTask{key});
      if (const auto frozen = core_.services().frozen(job)) fleet_.freeze(node, {key, *frozen});
    }
  });
  for (const Command& command : core_.outstanding()) {
    if (const auto* repair = std::get_if<RepairNode>(&command.body)) {
      if (repair->node == node) carry_out(*repair);
      continue;
    }
    const JobId id = job_of(command);
    const Job* job = core_.jobs().find(id);
    const bool here = job != nullptr &&
                      std::any_of(job->placement.begin(), job->placement.end(),
                                  [node](const TaskPlacement& task) { return task.node == node; });
    if (here) std::visit([this](const auto& body) { carry_out(body); }, command.body);
  }
}

/// One incident of them all: a node may bring many, and again and again.
void World::tell_of_orphans(NodeId node, std::vector<std::string> tasks) const {
  if (tasks.empty()) return;
  std::sort(tasks.begin(), tasks.end());
  const std::size_t count = tasks.size();
  tasks.resize(std::min(count, kOrphansNamedMax));
  const std::string more =
      count > tasks.size() ? fmt::format(" and {} more", count - tasks.size()) : "";
  inbox_.post(
      OrphansEnded{node, fmt::format("{} task{} ran there that this journal has no record "
                                     "of, and {} ended: {}{}",
                                     count, count == 1 ? "" : "s", count == 1 ? "was" : "were",
                                     fmt::join(tasks, ", "), more)},
      nullptr);
}

/// Deals with a task that was there before, unless the core waits for its end on that node. False:
/// it is of no job that was recorded.
bool World::take_up(const act::FoundTask& found, NodeId node, JobId last) const {
  const act::TaskKey key = found.key;
  const Job* job = core_.jobs().find(key.job);
  const bool ours = key.job <= last && (job == nullptr || key.attempt <= job->attempt);
  if (ours && is_open_on(key, node)) return true;
  if (!ours) {
    notice(fmt::format("task {} is of a job that was never recorded here; it was ended and removed",
                       act::to_string(key)));
    fleet_.send(node, act::DiscardTask{key});
  } else if (found.ended) {
    fleet_.send(node, act::ReleaseTask{key});
  } else {
    notice(fmt::format("task {} belongs to an attempt that is over; it is being ended",
                       act::to_string(key)));
    fleet_.send(node, act::StopTask{key, {}});
  }
  return ours;
}

void World::notice(const std::string& line) const {
  if (options_.notice) options_.notice(line);
}

}  // namespace gyre::live
