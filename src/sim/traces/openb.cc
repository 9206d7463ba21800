// Alibaba cluster-trace-gpu-v2023 ("openb"): pods with fractional GPUs and GPU model constraints.
// Its multigpu variants have only the first five columns, and so no times.

#include <fmt/format.h>

#include <array>

#include "domain/job_spec.h"
#include "sim/traces/trace_builder.h"

namespace gyre::sim {
namespace {

enum Column : std::size_t {
  Name,
  Cpu,
  Memory,
  Gpus,
  Milli,
  Models,
  Qos,
  Created,
  Deleted,
  Scheduled,
};

struct QosClass {
  std::string_view name;
  std::int32_t priority;
  bool preemptible;
};
// Kubernetes' classes and Alibaba's LS (latency sensitive); BE is best effort.
constexpr std::array<QosClass, 4> kQosClasses{
    {{"Guaranteed", 8, false}, {"LS", 7, false}, {"Burstable", 5, false}, {"BE", 3, true}}};

class OpenbFormat final : public TraceFormat {
 public:
  explicit OpenbFormat(bool has_times) : has_times_(has_times) {}

  std::string_view name() const override { return "openb"; }

  std::vector<ColumnSpec> columns() const override {
    return {{{"name"}, true},
            {{"cpu_milli"}, true},
            {{"memory_mib"}, true},
            {{"num_gpu"}, true},
            {{"gpu_milli"}, true},
            {{"gpu_spec"}},
            {{"qos"}},
            {{"creation_time"}, has_times_},
            {{"deletion_time"}, has_times_},
            {{"scheduled_time"}, has_times_}};
  }

  Result<JobRow> read(const Table& table) override {
    JobRow row;
    row.name = table.text(Name);
    if (row.name.empty()) return table.fail_row("the pod has no name");
    if (auto done = read_demand(table, row.demand); !done) return tl::unexpected(done.error());
    if (auto done = read_qos(table, row); !done) return tl::unexpected(done.error());
    if (auto done = read_times(table, row); !done) return tl::unexpected(done.error());
    return row;
  }

  std::vector<std::string> notes(const Table& table) const override {
    if (has_times_) return {};
    return {
        fmt::format("{} has no times: each pod arrives one second after the one before it, "
                    "and never ends",
                    table.name())};
  }

 private:
  Result<void> read_demand(const Table& table, Demand& demand) const {
    const auto cpu = table.integer(Cpu, 0, 1'000'000'000);
    const auto memory = table.integer(Memory, 0, 1'000'000'000'000);
    const auto gpus = table.integer(Gpus, 0, kGpusPerJobMax);
    const auto milli = table.integer(Milli, 0, kWholeGpu.value);
    for (const auto* value : {&cpu, &memory, &gpus, &milli}) {
      if (!*value) return tl::unexpected(value->error());
    }
    demand.cpu = CpuMilli{*cpu};
    demand.memory = MemoryMib{*memory};
    demand.gpus = static_cast<std::int32_t>(*gpus);
    if (*gpus > 0 && *milli == 0) return table.fail_at(Milli, "is no share of a GPU");
    if (*gpus == 1) demand.gpu_milli = GpuMilli{static_cast<std::int32_t>(*milli)};
    if (*gpus > 0) demand.gpu_models = split_models(table.text(Models));
    return {};
  }

  static Result<void> read_qos(const Table& table, JobRow& row) {
    row.priority = kPriorityDefault;
    const std::string_view qos = table.text(Qos);
    if (qos.empty()) return {};
    for (const QosClass& known : kQosClasses) {
      if (known.name != qos) continue;
      row.priority = known.priority;
      row.preemptible = known.preemptible;
      return {};
    }
    return table.fail_at(Qos, "is no class of service; there are Guaranteed, LS, Burstable, BE");
  }

  /// A pod that was never scheduled is given the time from its creation to its deletion.
  Result<void> read_times(const Table& table, JobRow& row) {
    if (!has_times_) {
      row.submit = Time{} + seconds(static_cast<std::int64_t>(arrivals_++));
      row.duration = kEndless;
      return {};
    }
    const auto created = table.instant(Created);
    if (!created) return tl::unexpected(created.error());
    const auto deleted = table.instant(Deleted);
    if (!deleted) return tl::unexpected(deleted.error());
    const auto started = table.empty(Scheduled) ? created : table.instant(Scheduled);
    if (!started) return tl::unexpected(started.error());
    if (*deleted < *started) {
      return table.fail_at(Deleted, "is before the pod's start; a duration cannot be negative");
    }
    row.submit = *created;
    row.duration = *deleted - *started;
    return {};
  }

  bool has_times_;
  std::uint64_t arrivals_ = 0;
};

}  // namespace

std::unique_ptr<TraceFormat> openb_format(const Table& table) {
  const bool has_times = table.has_column("creation_time") || table.has_column("deletion_time");
  return std::make_unique<OpenbFormat>(has_times);
}

}  // namespace gyre::sim
