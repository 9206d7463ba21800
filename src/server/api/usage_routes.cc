// GET /v1/usage
#include <algorithm>
#include <string>
#include <utility>

#include "act/gang_start.h"
#include "base/units.h"
#include "observe/efficiency.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

using observe::Holding;
using observe::Verdict;

/// A running job; what its tasks use is added on the connection's thread.
struct UsingJob {
  JobId id;
  std::string name;
  std::string queue;
  std::vector<act::TaskKey> tasks;
  std::vector<Time> since;  // by task
  std::vector<UsageWatch::Device> devices;
  bool shared = false;  // some device is also another job's
  Holding holding;
};

std::vector<UsingJob> look(const control::Controller& core, const UsageWatch& usage, Time now) {
  std::vector<UsingJob> jobs;
  core.jobs().for_each([&](const Job& job) {
    if (job.state != JobState::Running) return;
    UsingJob one;
    one.id = job.id;
    one.name = job.spec->name;
    one.queue = job.spec->queue;
    one.holding.held = std::max(Duration{}, now - job.state_since);
    one.holding.gpu_milli = gpu_total(job.spec->tasks).value;
    for (const TaskPlacement& placed : job.placement) {
      one.holding.cpu_asked += placed.allocation.cpu;
      one.holding.memory_asked += placed.allocation.memory;
      one.shared =
          one.shared || (placed.allocation.devices != 0 && placed.allocation.gpu_milli < kWholeGpu);
      const act::TaskKey key = act::key_of(job, placed.rank);
      const UsageWatch::Task* task = usage.find(key);
      if (task == nullptr) continue;
      one.tasks.push_back(key);
      one.since.push_back(task->since);
      one.devices.insert(one.devices.end(), task->devices.begin(), task->devices.end());
    }
    jobs.push_back(std::move(one));
  });
  return jobs;
}

/// "sm", "utilisation", or empty where no device tells.
std::string_view add_devices(UsingJob& job, const GpuWatch& gpus) {
  double seen = 0;
  double busy = 0;
  bool by_sm = true;
  Time busy_at;
  Time seen_at;
  std::size_t told = 0;
  for (const UsageWatch::Device& device : job.devices) {
    const auto now_used = gpus.usage(device.node, device.device);
    if (!now_used || now_used->seen_seconds <= device.before.seen_seconds) continue;
    ++told;
    seen += now_used->seen_seconds - device.before.seen_seconds;
    busy += now_used->busy_seconds - device.before.busy_seconds;
    by_sm = by_sm && now_used->by_sm;
    busy_at = std::max(busy_at, now_used->busy_at.value_or(Time{}));
    seen_at = std::max(seen_at, now_used->seen_at.value_or(Time{}));
  }
  if (told == 0 || told < job.devices.size()) return "";
  job.holding.gpu_seen =
      nanoseconds(static_cast<std::int64_t>(seen / static_cast<double>(told) * 1e9));
  job.holding.gpu_activity = std::clamp(busy / seen, 0.0, 1.0);
  job.holding.gpu_idle = std::clamp(seen_at - busy_at, Duration{}, job.holding.held);
  return by_sm ? "sm" : "utilisation";
}

void add_groups(UsingJob& job, const act::TaskUsages& usages, Time now) {
  CpuMilli cpu{0};
  MemoryMib memory{0};
  std::size_t with_cpu = 0;
  std::size_t with_memory = 0;
  for (std::size_t i = 0; i < job.tasks.size(); ++i) {
    const act::TaskUsage used = usages.usage(job.tasks[i]);
    const double ran = std::max(0.001, (now - job.since[i]).seconds());
    if (used.cpu) {
      cpu += CpuMilli{static_cast<std::int64_t>(used.cpu->seconds() / ran * 1000)};
      ++with_cpu;
    }
    if (used.memory_peak) {
      memory += *used.memory_peak;
      ++with_memory;
    }
  }
  if (with_cpu > 0 && with_cpu == job.tasks.size()) job.holding.cpu_used = cpu;
  if (with_memory > 0 && with_memory == job.tasks.size()) job.holding.memory_peak = memory;
}

template <class Amount>
void write_amount(JsonText& out, std::string_view name, const std::optional<Amount>& amount) {
  out.key(name);
  if (amount) {
    out.value(amount->value);
  } else {
    out.null();
  }
}

void write_seconds(JsonText& out, std::string_view name, std::optional<Duration> time) {
  out.key(name);
  if (time) {
    out.thousandths(time->ns / 1'000'000);
  } else {
    out.null();
  }
}

class Report {
 public:
  explicit Report(observe::EfficiencyRules rules) : rules_(rules) {
    out_.open('{').key("settle_s").thousandths(rules.settle.ns / 1'000'000);
    out_.key("jobs").open('[');
  }

  void add(const UsingJob& job, std::string_view by) {
    const Holding& holding = job.holding;
    const Verdict verdict = judge(holding, rules_);
    const double wasted = wasted_gpu_seconds(holding, verdict);
    held_milli_ += holding.gpu_milli;
    if (verdict == Verdict::Idle) idle_milli_ += holding.gpu_milli;
    wasted_ += wasted;
    out_.open('{').member("job", job.id.value).member("name", job.name).member("queue", job.queue);
    out_.key("gpus").thousandths(holding.gpu_milli).member("shared", job.shared);
    write_seconds(out_, "held_s", holding.held);
    out_.key("gpu_activity");
    if (holding.gpu_activity) {
      out_.thousandths(static_cast<std::int64_t>(*holding.gpu_activity * 1000 + 0.5));
    } else {
      out_.null();
    }
    out_.key("gpu_activity_by");
    if (by.empty()) {
      out_.null();
    } else {
      out_.value(by);
    }
    write_seconds(out_, "gpu_idle_s", holding.gpu_idle);
    out_.member("cpu_milli_asked", holding.cpu_asked.value);
    write_amount(out_, "cpu_milli_used", holding.cpu_used);
    write_amount(out_, "cpu_milli_better", better_cpu(holding, rules_));
    out_.member("memory_mib_asked", holding.memory_asked.value);
    write_amount(out_, "memory_mib_peak", holding.memory_peak);
    write_amount(out_, "memory_mib_better", better_memory(holding, rules_));
    out_.member("verdict", to_string(verdict));
    out_.key("gpu_seconds_wasted").thousandths(static_cast<std::int64_t>(wasted * 1000));
    out_.close('}');
  }

  JsonText take() {
    out_.close(']').key("gpus_held").thousandths(held_milli_);
    out_.key("gpus_idle").thousandths(idle_milli_);
    out_.key("gpu_seconds_wasted").thousandths(static_cast<std::int64_t>(wasted_ * 1000));
    out_.close('}');
    return std::move(out_);
  }

 private:
  const observe::EfficiencyRules rules_;
  JsonText out_;
  std::int64_t held_milli_ = 0;
  std::int64_t idle_milli_ = 0;
  double wasted_ = 0;
};

}  // namespace

void Api::show_usage(const Call& call) const {
  observe::EfficiencyRules rules;
  if (const auto text = call.request.query_value("settle")) {
    const auto settle = parse_duration(*text);
    if (!settle) return call.fail(bad_parameter("settle", settle.error().message));
    rules.settle = *settle;
  }
  struct Seen {
    std::vector<UsingJob> jobs;
    Time now;
  };
  ask<Seen>(
      call,
      [this](const auto& core) {
        const Time now = options_.clock();
        return Seen{look(core, options_.telemetry->usage, now), now};
      },
      [this, rules](const Seen& seen) {
        Report report(rules);
        for (UsingJob job : seen.jobs) {
          const std::string_view by = add_devices(job, options_.telemetry->gpus);
          if (options_.usages != nullptr) add_groups(job, *options_.usages, seen.now);
          report.add(job, by);
        }
        return json_response(report.take());
      });
}

}  // namespace gyre::server
