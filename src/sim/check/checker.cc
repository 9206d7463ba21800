#include "sim/check/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace gyre::sim {

Checker::Checker(Sampling sampling) : sampling_(sampling), rng_(Rng(0).stream("check")) {}

void Checker::after(const Event& event, const control::Decisions& decisions,
                    const control::Controller& core) {
  if (const auto* applied = std::get_if<ServiceApplied>(&event.body)) books_.wish(applied->spec);
  for (const Transition& transition : decisions.transitions) {
    const bool arrives = transition.from == transition.to;
    const Job* job = arrives ? core.jobs().find(transition.job) : nullptr;
    if (job != nullptr && !job->service.empty()) books_.adopt(*job);
  }
  books_.apply(event, decisions);
  ++events_;
  if (events_ % sampling_.events_per_explanation == 0) explain_some(core);
  if (events_ % sampling_.events_per_comparison == 0) compare(core);
}

void Checker::finish(const control::Controller& core) {
  explain_some(core);
  compare(core);
  books_.finish();
}

/// The core's jobs and nodes against the books'.
void Checker::compare(const control::Controller& core) {
  std::uint64_t alive = 0;
  core.jobs().for_each([&](const Job& job) {
    compare_job(job);
    alive += is_final(job.state) ? 0 : 1;
  });
  const std::uint64_t expected = books_.unfinished();
  if (alive != expected) {
    books_.report(Invariant::JobsConserved,
                  fmt::format("the core has {} jobs that have not ended, by the events there are "
                              "{}",
                              alive, expected));
  }
  for (std::size_t i = 0; i < books_.nodes().size(); ++i) {
    const Books::NodeBook& book = books_.nodes()[i];
    const Node& node = core.cluster().node(NodeId{static_cast<std::uint32_t>(i)});
    bool same = node.up == book.up && node.open() == book.open() &&
                node.free.cpu == book.cpu_free && node.free.memory == book.memory_free;
    for (std::size_t gpu = 0; gpu < book.gpu_free.size(); ++gpu) {
      same = same && node.free.gpu[gpu] == book.gpu_free[gpu];
    }
    if (same) continue;
    books_.report(Invariant::BooksAgree,
                  fmt::format("the core's picture of {} is not what events and commands say",
                              book.spec.name));
  }
  for (const auto& group : books_.groups()) {
    const std::map<NodeId, std::int32_t>& nodes = group.second;
    const auto places = core.cluster().group(group.first);
    const bool same = std::equal(places.begin(), places.end(), nodes.begin(), nodes.end(),
                                 [](const GroupTasks& place, const auto& known) {
                                   return place.node == known.first && place.tasks == known.second;
                                 });
    if (same) continue;
    books_.report(Invariant::BooksAgree,
                  fmt::format("the core sees one group on {} nodes, by events and commands it is "
                              "on {}, or has other numbers of tasks there",
                              places.size(), nodes.size()));
  }
}

void Checker::compare_job(const Job& job) {
  const Books::JobBook* book = books_.find(job.id);
  if (book == nullptr) {
    return books_.report(Invariant::JobsConserved,
                         fmt::format("the core has made up job {}", job.id.value));
  }
  if (book->state == job.state) return;
  books_.report(Invariant::JobsConserved,
                fmt::format("job {} is {} to the core, {} by its transitions", job.id.value,
                            to_string(job.state), to_string(book->state)));
}

/// The first in line, the last, and one by chance.
void Checker::explain_some(const control::Controller& core) {
  const std::set<JobId>& waiting = books_.waiting();
  if (waiting.empty()) return;
  const std::uint64_t span = waiting.rbegin()->value - waiting.begin()->value + 1;
  const JobId any{waiting.begin()->value + rng_.below(span)};
  for (const JobId id : {*waiting.begin(), *waiting.lower_bound(any), *waiting.rbegin()}) {
    const Job* job = core.jobs().find(id);
    if (job == nullptr || job->state != JobState::Queued) continue;  // compare() reports it
    const Explanation explanation = core.explain(*job);
    std::string wrong = what_is_untrue(books_, *job, explanation, core.now());
    if (explanation.reason == WaitReason::PendingEvaluation && !core.has_leftover()) {
      wrong = "nothing looks at it";
    }
    if (wrong.empty()) continue;
    books_.report(Invariant::TrueReason,
                  fmt::format("job {} is said to wait for {} ({}), but {}", id.value,
                              to_string(explanation.reason), explanation.detail, wrong));
  }
}

}  // namespace gyre::sim
