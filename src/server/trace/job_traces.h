#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "act/executor.h"
#include "control/driver.h"
#include "observe/span.h"
#include "server/trace/first_output.h"

namespace gyre::server {

/// Tells each job as one trace, below the request that submitted it:
///
///   POST /v1/jobs
///     job
///       wait          in line, once for each attempt
///       decide        from the event that made its turn come until the decision is durable
///       start         of each task, with its stages below it: image, root, create, init, ready
///       run           of each task; what the task itself traces goes below it (TRACEPARENT)
///         first output
///
/// Only jobs whose trace is sampled. Spans leave when they are over and what they tell is durable;
/// a server that is killed in between loses them. Ids follow from the submission's, so that a
/// restart goes on with the same trace. Lives on the driver's thread, but for the calls of the API.
class JobTraces final : public control::Observer {
 public:
  /// Takes up with the jobs of `core`. All three outlive it.
  JobTraces(const control::Controller& core, observe::SpanSink& sink, FirstOutput& first_output);

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;
  void committed(EventSeq seq) override;

  /// One request that submits a job; thread-safe.
  struct Submission {
    TraceContext context;      // of the request's span
    std::uint64_t caller = 0;  // 0: none
    Time began;
  };
  /// In the caller's trace, or in a new one where `trace_parent` is not valid.
  static Submission begin(std::string_view trace_parent);
  void end(const Submission& submission, const Result<JobId>& job) const;

 private:
  void tell(const Transition& change, const control::Controller& core);
  void tell(const StartGang& start, Time at, const control::Controller& core);
  void tell(const ReplaceTask& anew, Time at, const control::Controller& core);
  void tell(const TaskStarted& event, Time at, const control::Controller& core);
  void tell(const TaskEnded& event, Time at, const control::Controller& core);
  void tell_run(const act::TaskKey& key, Time at, const TaskExit& exit,
                const control::Controller& core);
  void tell_wait(const Job& job, const TraceContext& context, Time until);
  void tell_job(const Job& job, const TraceContext& context, const Transition& end);
  /// The span is valid until the next is added.
  observe::Span& add(const TraceContext& context, std::uint64_t id, std::uint64_t parent,
                     std::string_view name);

  observe::SpanSink& sink_;
  FirstOutput& first_output_;
  std::map<JobId, Time> waits_since_;
  std::map<act::TaskKey, Time> runs_since_;
  std::vector<observe::Span> pending_;  // not yet durable
  std::vector<std::size_t> deciding_;   // of those, the ones that end when they are
};

}  // namespace gyre::server
