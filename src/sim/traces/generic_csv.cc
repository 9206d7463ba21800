// Gyre's own format of traces, with the column names of Helios, PAI and GAIA as aliases.

#include <fmt/ranges.h>

#include "domain/job_spec.h"
#include "sim/traces/trace_builder.h"

namespace gyre::sim {
namespace {

constexpr std::string_view kDeclared = "expected_duration";

enum Column : std::size_t {
  JobName,
  Submitted,
  Work,
  Gpus,
  Milli,
  Models,
  Cores,
  CoreMilli,
  Memory,
  Nodes,
  Queue,
  User,
  Priority,
  Preemptible,
  CheckpointInterval,
  Near,
  Placement,
  Declared,
};

class GenericFormat final : public TraceFormat {
 public:
  std::string_view name() const override { return "csv"; }

  std::vector<ColumnSpec> columns() const override {
    return {{{"id", "job_id", "jobid", "job_name", "name"}, true},
            {{"submit", "submit_time", "submitted_at", "arrival_time", "timestamp"}, true},
            {{"duration", "run_time", "runtime", "length"}, true},
            {{"gpus", "gpu_num", "num_gpus", "num_gpu", "gpu_count"}, true},
            {{"gpu_milli"}},
            {{"gpu_model", "gpu_type", "gpu_spec"}},
            {{"cpu", "cpus", "cpu_num"}},
            {{"cpu_milli"}},
            {{"memory", "memory_mib"}},
            {{"nodes", "node_num", "num_nodes"}},
            {{"vc", "virtual_cluster", "cluster", "queue"}},
            {{"user", "user_id"}},
            {{"priority"}},
            {{"preemptible"}},
            {{"checkpoint_interval"}},
            {{"topology"}},
            {{"placement"}},
            {{kDeclared}}};
  }

  Result<JobRow> read(const Table& table) override {
    JobRow row;
    row.name = table.text(JobName);
    if (row.name.empty()) return table.fail_at(JobName, "is no id");
    if (auto done = read_times(table, row); !done) return tl::unexpected(done.error());
    if (auto done = read_gpus(table, row.demand); !done) return tl::unexpected(done.error());
    if (auto done = read_host(table, row.demand); !done) return tl::unexpected(done.error());
    if (auto done = read_rank(table, row); !done) return tl::unexpected(done.error());
    if (!table.empty(Queue)) row.queue = table.text(Queue);
    row.user = table.text(User);
    return row;
  }

  std::vector<std::string> notes(const Table& table) const override {
    const std::vector<std::string> unused = table.unused_columns();
    if (unused.empty()) return {};
    return {
        fmt::format("columns of {} that were not used: {}", table.name(), fmt::join(unused, ", "))};
  }

 private:
  static Result<void> read_times(const Table& table, JobRow& row) {
    if (auto done = read_declared(table, row); !done) return done;
    const auto submit = table.instant(Submitted);
    if (!submit) return tl::unexpected(submit.error());
    row.submit = *submit;
    row.duration = kEndless;
    if (table.empty(Work)) return {};
    const auto work = table.span(Work);
    if (!work) return tl::unexpected(work.error());
    row.duration = *work;
    return {};
  }

  static Result<void> read_declared(const Table& table, JobRow& row) {
    if (!table.has_column(kDeclared)) return {};
    row.declared = kEndless;
    if (table.empty(Declared)) return {};
    const auto declared = table.duration(Declared);
    if (!declared) return tl::unexpected(declared.error());
    if (declared->ns <= 0) return table.fail_at(Declared, "is none; leave it empty if unknown");
    row.declared = *declared;
    return {};
  }

  static Result<void> read_gpus(const Table& table, Demand& demand) {
    const auto gpus = table.integer(Gpus, 0, kGpusPerJobMax);
    if (!gpus) return tl::unexpected(gpus.error());
    demand.gpus = static_cast<std::int32_t>(*gpus);
    if (demand.gpus == 0) return {};
    demand.gpu_models = split_models(table.text(Models));
    if (table.empty(Milli)) return {};
    const auto milli = table.integer(Milli, 1, kWholeGpu.value);
    if (!milli) return tl::unexpected(milli.error());
    demand.gpu_milli = GpuMilli{static_cast<std::int32_t>(*milli)};
    return {};
  }

  static Result<void> read_host(const Table& table, Demand& demand) {
    if (!table.empty(Cores)) {
      const auto cores = table.cpu(Cores);
      if (!cores) return tl::unexpected(cores.error());
      demand.cpu = *cores;
    } else if (!table.empty(CoreMilli)) {
      const auto milli = table.integer(CoreMilli, 0, 1'000'000'000);
      if (!milli) return tl::unexpected(milli.error());
      demand.cpu = CpuMilli{*milli};
    }
    if (!table.empty(Memory)) {
      const auto memory = table.memory(Memory);
      if (!memory) return tl::unexpected(memory.error());
      demand.memory = *memory;
    }
    if (!table.empty(Nodes)) {
      const auto nodes = table.integer(Nodes, 1, kNodesPerJobMax);
      if (!nodes) return tl::unexpected(nodes.error());
      demand.nodes = static_cast<std::int32_t>(*nodes);
    }
    if (!table.empty(Near)) {
      const auto topology = parse_topology(table.text(Near));
      if (!topology) return table.fail_at(Near, "{}", topology.error().message);
      demand.topology = *topology;
    }
    if (!table.empty(Placement)) {
      auto rules = parse_placement_rules(table.text(Placement));
      if (!rules) return table.fail_at(Placement, "{}", rules.error().message);
      demand.placement = std::move(*rules);
    }
    return {};
  }

  static Result<void> read_rank(const Table& table, JobRow& row) {
    row.priority = kPriorityDefault;
    if (!table.empty(Priority)) {
      const auto priority = table.integer(Priority, kPriorityMin, kPriorityMax);
      if (!priority) return tl::unexpected(priority.error());
      row.priority = static_cast<std::int32_t>(*priority);
    }
    if (!table.empty(Preemptible)) {
      const auto preemptible = table.boolean(Preemptible);
      if (!preemptible) return tl::unexpected(preemptible.error());
      row.preemptible = *preemptible;
    }
    if (!table.empty(CheckpointInterval)) {
      const auto interval = table.duration(CheckpointInterval);
      if (!interval) return tl::unexpected(interval.error());
      row.checkpoint_interval = *interval;
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<TraceFormat> csv_format() { return std::make_unique<GenericFormat>(); }

}  // namespace gyre::sim
