#include "server/api/decision_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/units.h"

namespace gyre::server {
namespace {

std::string gpus(std::int64_t milli) {
  if (milli == 0) return "no GPU";
  return fmt::format("{:g} GPU{}", static_cast<double>(milli) / 1000, milli == 1000 ? "" : "s");
}

std::string quoted(const Job& job) {
  return job.spec->name.empty() ? fmt::format("job {}", job.id.value)
                                : fmt::format("job {} ('{}')", job.id.value, job.spec->name);
}

std::string jobs(std::int64_t count) {
  return count == 1 ? "one job" : fmt::format("{} jobs", count);
}

std::string jobs_were(std::int64_t count) { return jobs(count) + (count == 1 ? " was" : " were"); }

std::string words(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string on_nodes(const std::vector<std::string>& nodes, std::size_t tasks) {
  if (nodes.empty()) return "";
  if (tasks == 1) return fmt::format(" on {}", nodes.front());
  return fmt::format(" on {} nodes, {} first", tasks, nodes.front());
}

std::string with_image(const StartGang& start) {
  if (start.with_image == 0) return "";
  if (start.placement.size() == 1) return ", which holds its image";
  return fmt::format(", {} of which hold its image", start.with_image);
}

/// It asks for it: then its exit says why it was not.
bool would_be_repaired(const Job& job) {
  return job.spec->retry.on_node_loss == NodeLossAnswer::Task && !job.exit.message.empty();
}

}  // namespace

std::string_view to_string(DecisionKind kind) {
  static constexpr std::string_view kNames[] = {"start", "backfill", "preempt", "requeue",
                                                "stop",  "give-up",  "warn",    "replace"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// Tells one event's decisions.
class DecisionLog::Story {
 public:
  Story(DecisionLog& log, const Event& event, const control::Controller& core)
      : log_(log), event_(event), core_(core) {}

  void tell(const StartGang& start) {
    const Job* job = core_.jobs().find(start.job);
    if (job == nullptr) return;
    const bool overtakes = start.rule == StartRule::Backfill;
    Decision told = begin(*job, overtakes ? DecisionKind::Backfill : DecisionKind::Start);
    for (const TaskPlacement& task : start.placement) {
      if (told.nodes.size() == kDecisionNodesMax) break;
      told.nodes.push_back(core_.cluster().node(task.node).spec.name);
    }
    const std::string history =
        start.attempt == 1
            ? fmt::format("it waited {}", format_duration(event_.at - job->submitted_at))
            : fmt::format("attempt {}", start.attempt);
    told.why = fmt::format("{}: {}{}{}; {}", overtakes ? "it delays nobody before it" : "its turn",
                           gpus(told.gpu_milli), on_nodes(told.nodes, start.placement.size()),
                           with_image(start), history);
    told.compared = (overtakes ? overtaken(*job) : place_of(*job)) + others();
    log_.favours_.erase(job->id);
    log_.add(std::move(told));
  }

  void tell(const QuarantineNode&) {}  // of no job; see /v1/incidents
  void tell(const ReleaseNode&) {}
  void tell(const RepairNode&) {}
  void tell(const PrefetchImage&) {}  // nothing is done to the job
  void tell(const FreezeGang&) {}     // the service's events have it
  void tell(const ReplaceTask& anew) {
    const Job* job = core_.jobs().find(anew.job);
    if (job == nullptr) return;
    Decision told = begin(*job, DecisionKind::Replace);
    told.nodes.push_back(core_.cluster().node(anew.task.node).spec.name);
    const std::int32_t others = task_count(job->spec->tasks) - 1;
    told.why = fmt::format(
        "task {} was started anew on node {}: node {} was lost ({}); the other "
        "{} ran on; retry {} of {}",
        anew.task.rank, told.nodes.front(), core_.cluster().node(anew.lost).spec.name, anew.cause,
        others == 1 ? "task" : fmt::format("{} tasks", others), job->retries,
        job->spec->retry.retries_max);
    log_.add(std::move(told));
  }
  void tell(const StopGang& stop) {
    const Job* job = core_.jobs().find(stop.job);
    if (job == nullptr || stop.cause == Termination::UserRequest) return;
    if (stop.cause == Termination::Preempted) return preempted(*job, stop);
    Decision told = begin(*job, DecisionKind::Stop);
    if (stop.cause == Termination::Idle) {
      idle(told);
    } else {
      told.why = stop.cause == Termination::DeadlineExceeded
                     ? fmt::format("its deadline of {} after submission has passed",
                                   format_duration(job->spec->deadline.value_or(Duration{})))
                 : stop.cause == Termination::NodeLost && would_be_repaired(*job)
                     ? job->exit.message
                     : "one of its tasks is lost or has failed, and a gang runs as a whole or not";
    }
    log_.add(std::move(told));
  }

  void tell_idle() {
    const std::string news = idle_news(event_, core_);
    if (!news.starts_with("warned")) return;
    Decision told =
        begin(*core_.jobs().find(std::get<GpuUseSeen>(event_.body).use.job), DecisionKind::Warn);
    told.why = news;
    log_.add(std::move(told));
  }

  void tell(const Transition& change) {
    const Job* job = core_.jobs().find(change.job);
    if (job == nullptr || change.from == change.to) return;
    if (change.to == JobState::Queued && change.cause != Termination::Preempted) {
      Decision told = begin(*job, DecisionKind::Requeue);
      told.why = fmt::format(
          "{}, attempt {}; retry {} of {}{}", words(to_string(change.cause)), change.attempt,
          job->retries, job->spec->retry.retries_max,
          job->hold_until ? fmt::format(" in {}", format_duration(*job->hold_until - event_.at))
                          : "");
      return log_.add(std::move(told));
    }
    if (change.to == JobState::Failed) gave_up(*job, change);
  }

 private:
  Decision begin(const Job& job, DecisionKind kind) {
    Decision told;
    told.position = {event_.seq, index_++};
    told.at = event_.at;
    told.kind = kind;
    told.job = job.id;
    told.name = job.spec->name;
    told.queue = job.spec->queue;
    told.priority = job.spec->priority;
    told.attempt = job.attempt;
    told.gpu_milli = gpu_total(job.spec->tasks).value;
    return told;
  }

  /// The evidence is in the event that made it.
  void idle(Decision& told) const {
    const auto* seen = std::get_if<GpuUseSeen>(&event_.body);
    if (seen == nullptr) return;
    const IdleSpec& rules = core_.idle().spec();
    told.why = fmt::format("it holds {} and does not use them: {}", gpus(told.gpu_milli),
                           describe(seen->use));
    told.compared = fmt::format("at least {} % is asked for; it was warned at least {} before",
                                rules.below_percent, format_duration(rules.grace));
  }

  /// What made a job's turn come.
  std::string place_of(const Job& job) const {
    const auto done = log_.favours_.find(job.id);
    const Favours favours = done == log_.favours_.end() ? Favours{} : done->second;
    if (favours.stopped > 0) {
      return fmt::format("{} stopped to make room for it", jobs_were(favours.stopped));
    }
    if (favours.overtook > 0) {
      return fmt::format("room was kept for it while {} overtook it", jobs(favours.overtook));
    }
    return "nobody before it in line could start";
  }

  std::string others() const {
    if (log_.waiting_ == 0) return "; no other job waits";
    return log_.waiting_ == 1 ? "; one other job waits"
                              : fmt::format("; {} other jobs wait", log_.waiting_);
  }

  /// The first of the line, which this one must not delay.
  std::string overtaken(const Job& job) {
    if (!reservations_) reservations_ = core_.reservations();
    for (const Reservation& kept : *reservations_) {
      const Job* first = core_.jobs().find(kept.job);
      if (first == nullptr || first->spec->queue != job.spec->queue ||
          first->state != JobState::Queued) {
        continue;
      }
      ++log_.favours_[first->id].overtook;
      return fmt::format("{} (priority {}, {}) is first of the line, and not delayed by it",
                         quoted(*first), first->spec->priority,
                         gpus(gpu_total(first->spec->tasks).value));
    }
    return "those before it do not fit now";
  }

  /// What being stopped costs, and why it is taken to be so much.
  std::string restart() const {
    const Duration cost = core_.restart_cost();
    const bool set = cost <= core_.policy().restart_cost;
    return fmt::format("; a restart is taken to cost {}{}", format_duration(cost),
                       set ? ", as the policy says"
                           : fmt::format(", as measured: the latest starts took {} and stops {}",
                                         format_duration(core_.recent_starts().median()),
                                         format_duration(core_.recent_stops().median())));
  }

  void preempted(const Job& victim, const StopGang& stop) {
    Decision told = begin(victim, DecisionKind::Preempt);
    told.beneficiary = stop.beneficiary;
    const Job* winner = core_.jobs().find(stop.beneficiary);
    const std::string cause = stop.beneficiary.value == 0 ? "its node is taken out of service"
                              : winner != nullptr         ? quoted(*winner) + " needs its place"
                                                  : "a job of higher priority needs its place";
    told.why = fmt::format("{}; it has {} to save its work and queues again", cause,
                           format_duration(stop.grace));
    if (winner != nullptr) {
      ++log_.favours_[winner->id].stopped;
      told.compared = fmt::format("priority {} against {}; {} against {}", winner->spec->priority,
                                  victim.spec->priority, gpus(gpu_total(winner->spec->tasks).value),
                                  gpus(told.gpu_milli));
      if (weighs_restarts(core_.policy())) told.compared += restart();
    }
    log_.add(std::move(told));
  }

  void gave_up(const Job& job, const Transition& change) {
    if (change.from == JobState::Queued) {
      Decision told = begin(job, DecisionKind::GiveUp);
      told.why = change.cause == Termination::DeadlineExceeded
                     ? "its deadline passed while it was in line"
                     : fmt::format("it can never run here: {}", to_string(change.cause));
      return log_.add(std::move(told));
    }
    if (job.retries == 0 || job.retries < job.spec->retry.retries_max) return;
    Decision told = begin(job, DecisionKind::GiveUp);
    told.why = fmt::format("{} again, after all of its {} retries", to_string(change.cause),
                           job.spec->retry.retries_max);
    log_.add(std::move(told));
  }

  DecisionLog& log_;
  const Event& event_;
  const control::Controller& core_;
  std::uint32_t index_ = 0;
  std::optional<std::vector<Reservation>> reservations_;
};

void DecisionLog::after(const Event& event, const control::Decisions& decisions,
                        const control::Controller& core) {
  Story story(*this, event, core);
  for (const Transition& change : decisions.transitions) {
    count_waiting(change);
    note_outcome(change);
    story.tell(change);
  }
  for (const Command& command : decisions.commands) {
    std::visit([&](const auto& intent) { story.tell(intent); }, command.body);
  }
  story.tell_idle();
}

void DecisionLog::begin_anew(const control::Controller& core) {
  decisions_.clear();
  latest_.clear();
  favours_.clear();
  dropped_ = 0;
  waiting_ = 0;
  core.jobs().for_each(
      [this](const Job& job) { waiting_ += job.state == JobState::Queued ? 1 : 0; });
}

void DecisionLog::count_waiting(const Transition& transition) {
  const bool arrives = transition.from == transition.to;
  const bool waited = transition.from == JobState::Queued && !arrives;
  waiting_ += (transition.to == JobState::Queued ? 1 : 0) - (waited ? 1 : 0);
  if (is_final(transition.to)) favours_.erase(transition.job);
}

void DecisionLog::note_outcome(const Transition& transition) {
  const auto latest = latest_.find(transition.job);
  if (latest == latest_.end()) return;
  decisions_[latest->second - dropped_].outcome = transition;
  if (is_final(transition.to)) latest_.erase(latest);
}

void DecisionLog::add(Decision decision) {
  const bool over = decision.kind == DecisionKind::GiveUp;
  if (!over) latest_[decision.job] = dropped_ + decisions_.size();
  decisions_.push_back(std::move(decision));
  if (decisions_.size() <= decisions_max_) return;
  const auto oldest = latest_.find(decisions_.front().job);
  if (oldest != latest_.end() && oldest->second == dropped_) latest_.erase(oldest);
  decisions_.pop_front();
  ++dropped_;
}

DecisionLog::Page DecisionLog::read(const Query& query) const {
  auto end = decisions_.end();
  if (query.before) {
    end = std::lower_bound(
        decisions_.begin(), decisions_.end(), *query.before,
        [](const Decision& one, FeedPosition position) { return one.position < position; });
  }
  Page page;
  while (end != decisions_.begin()) {
    const Decision& one = *--end;
    if ((query.kinds >> static_cast<unsigned>(one.kind) & 1U) == 0) continue;
    if (query.job && one.job != *query.job) continue;
    if (page.decisions.size() == query.count_max) {
      page.more = true;
      break;
    }
    page.decisions.push_back(one);
  }
  return page;
}

std::array<std::int64_t, kDecisionKindCount> DecisionLog::count_since(Time since) const {
  std::array<std::int64_t, kDecisionKindCount> counts{};
  for (auto one = decisions_.rbegin(); one != decisions_.rend() && one->at >= since; ++one) {
    ++counts[static_cast<std::size_t>(one->kind)];
  }
  return counts;
}

}  // namespace gyre::server
