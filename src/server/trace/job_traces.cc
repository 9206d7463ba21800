#include "server/trace/job_traces.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "live/clock.h"

namespace gyre::server {
namespace {

Time machine_now() { return live::system_clock_source()().real; }

/// None for a job that is not traced, or not sampled.
std::optional<TraceContext> context_of(const Job& job) {
  if (job.spec->launch.trace_parent.empty()) return std::nullopt;
  auto context = parse_trace_parent(job.spec->launch.trace_parent);
  if (context && !context->sampled()) context.reset();
  return context;
}

std::uint64_t job_span(const TraceContext& context) { return derived_span(context, "job"); }

/// Never 0.
std::uint64_t random_id() {
  static thread_local std::random_device device;
  const std::uint64_t high = device();
  const std::uint64_t low = device();
  return std::max<std::uint64_t>(1, high << 32 | low);
}

}  // namespace

JobTraces::JobTraces(const control::Controller& core, observe::SpanSink& sink,
                     FirstOutput& first_output)
    : sink_(sink), first_output_(first_output) {
  core.jobs().for_each([this](const Job& job) {
    if (is_final(job.state) || !context_of(job)) return;
    if (job.state == JobState::Queued) {
      waits_since_[job.id] = job.state_since;
      return;
    }
    for (std::size_t i = 0; i < job.tasks.size(); ++i) {
      if (job.tasks[i] != TaskState::Running) continue;
      const std::int32_t rank = job.placement[i].rank;
      const std::int32_t attempt = attempt_of(job, rank);
      const bool anew = attempt != gang_attempt(job);
      runs_since_[{job.id, attempt, rank}] = anew ? placed_at(job, rank) : job.state_since;
    }
  });
}

JobTraces::Submission JobTraces::begin(std::string_view trace_parent) {
  Submission out;
  out.began = machine_now();
  if (const auto caller = parse_trace_parent(trace_parent)) {
    out.context = *caller;
    out.caller = caller->span;
  } else {
    out.context.trace_high = random_id();
    out.context.trace_low = random_id();
    out.context.flags = 1;
  }
  out.context.span = random_id();
  return out;
}

void JobTraces::end(const Submission& submission, const Result<JobId>& job) const {
  if (!submission.context.sampled()) return;
  observe::Span span;
  span.context = submission.context;
  span.parent = submission.caller;
  span.name = "POST /v1/jobs";
  span.kind = observe::Span::Kind::Server;
  span.begin = submission.began;
  span.end = std::max(span.begin, machine_now());
  span.failed = !job;
  if (job) {
    span.attributes = {{"gyre.job.id", static_cast<std::int64_t>(job->value)}};
  } else {
    span.message = job.error().message;
  }
  sink_.take({std::move(span)});
}

observe::Span& JobTraces::add(const TraceContext& context, std::uint64_t id, std::uint64_t parent,
                              std::string_view name) {
  observe::Span& span = pending_.emplace_back();
  span.context = context;
  span.context.span = id;
  span.parent = parent;
  span.name = name;
  return span;
}

void JobTraces::after(const Event& event, const control::Decisions& decisions,
                      const control::Controller& core) {
  if (const auto* one = std::get_if<TaskEnded>(&event.body)) tell(*one, event.at, core);
  for (const Transition& change : decisions.transitions) tell(change, core);
  for (const Command& command : decisions.commands) {
    if (const auto* start = std::get_if<StartGang>(&command.body)) tell(*start, event.at, core);
    if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) tell(*anew, event.at, core);
  }
  if (const auto* one = std::get_if<TaskStarted>(&event.body)) tell(*one, event.at, core);
}

void JobTraces::committed(EventSeq) {
  const Time now = machine_now();
  for (const std::size_t index : std::exchange(deciding_, {})) {
    pending_[index].end = std::max(pending_[index].begin, now);
  }
  sink_.take(std::exchange(pending_, {}));
}

void JobTraces::tell(const Transition& change, const control::Controller& core) {
  const Job* job = core.jobs().find(change.job);
  if (job == nullptr) return;
  const auto context = context_of(*job);
  if (!context) return;
  while (!is_placed(change.to)) {  // a lost node's tasks end without a word of their own
    const auto run = runs_since_.lower_bound({change.job, 0, 0});
    if (run == runs_since_.end() || run->first.job != change.job) break;
    tell_run(act::TaskKey(run->first), change.at,
             {.kind = TaskExit::Kind::Lost, .message = std::string(to_string(change.cause))}, core);
  }
  if (change.to == JobState::Queued) {
    waits_since_[change.job] = change.at;
  } else if (change.from == JobState::Queued) {
    tell_wait(*job, *context, change.at);
  }
  if (is_final(change.to)) tell_job(*job, *context, change);
}

void JobTraces::tell_wait(const Job& job, const TraceContext& context, Time until) {
  const auto since = waits_since_.find(job.id);
  if (since == waits_since_.end()) return;
  const std::int32_t next = std::max(1, job.attempt);
  observe::Span& span =
      add(context, derived_span(context, "wait", next), job_span(context), "wait");
  span.begin = since->second;
  span.end = until;
  span.attributes = {{"gyre.queue", job.spec->queue}, {"gyre.attempt", std::int64_t{next}}};
  waits_since_.erase(since);
}

void JobTraces::tell_job(const Job& job, const TraceContext& context, const Transition& end) {
  observe::Span& span = add(context, job_span(context), context.span, "job");
  span.begin = job.submitted_at;
  span.end = end.at;
  span.attributes = {{"gyre.job.id", static_cast<std::int64_t>(job.id.value)},
                     {"gyre.job.name", job.spec->name},
                     {"gyre.queue", job.spec->queue},
                     {"gyre.gpu_milli", std::int64_t{gpu_total(job.spec->tasks).value}},
                     {"gyre.state", std::string(to_string(end.to))},
                     {"gyre.cause", std::string(to_string(end.cause))},
                     {"gyre.attempts", std::int64_t{job.attempt}},
                     {"gyre.preemptions", std::int64_t{job.preemptions}}};
  span.failed = end.to == JobState::Failed;
  if (span.failed) span.message = to_string(end.cause);
}

void JobTraces::tell(const StartGang& start, Time at, const control::Controller& core) {
  const Job* job = core.jobs().find(start.job);
  const auto context = job == nullptr ? std::nullopt : context_of(*job);
  if (!context) return;
  deciding_.push_back(pending_.size());
  observe::Span& span =
      add(*context, derived_span(*context, "decide", start.attempt), job_span(*context), "decide");
  span.begin = span.end = at;
  const bool backfill = start.rule == StartRule::Backfill;
  span.attributes = {{"gyre.rule", std::string(backfill ? "backfill" : "head_of_line")},
                     {"gyre.attempt", std::int64_t{start.attempt}},
                     {"gyre.tasks", static_cast<std::int64_t>(start.placement.size())}};
}

/// A lost node's task ends without a word of its own.
void JobTraces::tell(const ReplaceTask& anew, Time at, const control::Controller& core) {
  const Job* job = core.jobs().find(anew.job);
  const auto context = job == nullptr ? std::nullopt : context_of(*job);
  if (!context) return;
  const auto lost = std::find_if(runs_since_.begin(), runs_since_.end(), [&](const auto& run) {
    return run.first.job == anew.job && run.first.rank == anew.task.rank;
  });
  if (lost != runs_since_.end()) {
    tell_run(act::TaskKey(lost->first), at, {.kind = TaskExit::Kind::Lost, .message = anew.cause},
             core);
  }
  deciding_.push_back(pending_.size());
  observe::Span& span =
      add(*context, derived_span(*context, "decide", anew.attempt), job_span(*context), "decide");
  span.begin = span.end = at;
  span.attributes = {{"gyre.rule", std::string("replacement")},
                     {"gyre.attempt", std::int64_t{anew.attempt}},
                     {"gyre.tasks", std::int64_t{1}}};
}

void JobTraces::tell(const TaskStarted& event, Time at, const control::Controller& core) {
  const Job* job = core.jobs().find(event.job);
  const auto context = job == nullptr ? std::nullopt : context_of(*job);
  if (!context || attempt_of(*job, event.rank) != event.attempt) return;
  const act::TaskKey key{event.job, event.attempt, event.rank};
  if (runs_since_.contains(key)) return;  // told again, by who took it over
  const StartStages& took = event.stages;
  const std::uint64_t id = derived_span(*context, "start", key.attempt, key.rank);
  const Time received = took.received == Time{} ? placed_at(*job, event.rank) : took.received;
  observe::Span& start = add(*context, id, job_span(*context), "start");
  start.begin = received;
  start.end = std::max(received, at);
  start.attributes = {{"gyre.rank", std::int64_t{key.rank}}, {"gyre.warm", took.warm}};
  Time next = received;
  const std::pair<const char*, Duration> stages[] = {{"image", took.image},
                                                     {"root", took.root},
                                                     {"create", took.create},
                                                     {"init", took.init},
                                                     {"ready", took.ready}};
  for (const auto& [name, duration] : stages) {
    if (duration.ns <= 0) continue;
    observe::Span& stage =
        add(*context, derived_span(*context, name, key.attempt, key.rank), id, name);
    stage.begin = next;
    stage.end = next = next + duration;
  }
  const Time began = std::min(next == received ? at : next, at);
  runs_since_[key] = began;
  TraceContext run = *context;
  run.span = derived_span(*context, "run", key.attempt, key.rank);
  first_output_.watch(key, run, began);
}

void JobTraces::tell(const TaskEnded& event, Time at, const control::Controller& core) {
  tell_run({event.job, event.attempt, event.rank}, at, event.exit, core);
}

void JobTraces::tell_run(const act::TaskKey& key, Time at, const TaskExit& exit,
                         const control::Controller& core) {
  const auto since = runs_since_.find(key);
  if (since == runs_since_.end()) return;
  const Time began = since->second;
  runs_since_.erase(since);
  first_output_.ended(key);
  const Job* job = core.jobs().find(key.job);
  const auto context = job == nullptr ? std::nullopt : context_of(*job);
  if (!context) return;
  observe::Span& span = add(*context, derived_span(*context, "run", key.attempt, key.rank),
                            job_span(*context), "run");
  span.begin = began;
  span.end = std::max(began, at);
  span.attributes = {{"gyre.rank", std::int64_t{key.rank}},
                     {"gyre.attempt", std::int64_t{key.attempt}},
                     {"gyre.exit_code", std::int64_t{exit.shell_code()}}};
  span.failed = !exit.ok() && !exit.stopped;
  if (span.failed) span.message = exit.message;
}

}  // namespace gyre::server
