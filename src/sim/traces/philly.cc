// Microsoft's Philly trace in its reduced CSV form: timestamp,duration,num_gpus,gpu_time,cluster.

#include <fmt/format.h>

#include "domain/job_spec.h"
#include "sim/traces/trace_builder.h"

namespace gyre::sim {
namespace {

enum Column : std::size_t { Submitted, Work, Gpus, Cluster };

class PhillyFormat final : public TraceFormat {
 public:
  std::string_view name() const override { return "philly"; }

  std::vector<ColumnSpec> columns() const override {
    return {{{"timestamp"}, true}, {{"duration"}, true}, {{"num_gpus"}, true}, {{"cluster"}, true}};
  }

  Result<JobRow> read(const Table& table) override {
    JobRow row;
    const auto submit = table.instant(Submitted);
    if (!submit) return tl::unexpected(submit.error());
    const auto work = table.span(Work);
    if (!work) return tl::unexpected(work.error());
    const auto gpus = table.integer(Gpus, 0, kGpusPerJobMax);
    if (!gpus) return tl::unexpected(gpus.error());
    row.queue = table.text(Cluster);
    if (row.queue.empty()) return table.fail_at(Cluster, "names no virtual cluster");
    row.submit = *submit;
    row.duration = *work;
    row.demand.gpus = static_cast<std::int32_t>(*gpus);
    rank(row);
    return row;
  }

  std::vector<std::string> notes(const Table&) const override {
    return {
        "the trace names no priorities: a job of one GPU gets 6, of up to 8 GPUs 5, of more 4; "
        "those of more than one GPU may be preempted"};
  }

 private:
  /// The trace has no priorities. Ranked by size, which is known at submission, policies that go
  /// by priority have something to decide; the others are not affected.
  static void rank(JobRow& row) {
    const std::int32_t gpus = row.demand.gpus;
    row.priority =
        gpus <= 1 ? kPriorityDefault + 1 : (gpus <= 8 ? kPriorityDefault : kPriorityDefault - 1);
    row.preemptible = gpus > 1;
  }
};

}  // namespace

std::unique_ptr<TraceFormat> philly_format() { return std::make_unique<PhillyFormat>(); }

}  // namespace gyre::sim
