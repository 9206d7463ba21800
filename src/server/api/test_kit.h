#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "control/controller.h"
#include "server/api/telemetry.h"

namespace gyre::server::test {

/// A core with a node "n" of H100s, and what is seen of it; time is the test's.
class SeenNode {
 public:
  explicit SeenNode(int gpus) {
    tell(PolicySet{*policy_by_name("preemptive")});
    tell(QueueSet{{"default", ""}});
    tell(NodeJoined{{0}, {"n", "", "H100", gpus, {81'920}, {64'000}, {524'288}, false}});
  }

  const control::Decisions& tell(Event::Body body) {
    last = {now, EventSeq{last.seq.value + 1}, std::move(body)};
    const control::Decisions& decisions = core.step(last);
    telemetry.after(last, decisions, core);
    return decisions;
  }

  /// A job of one task with those GPUs; it runs. Returns its id.
  JobId run(JobSpec spec, int gpus) {
    const JobId id{core.jobs().last().value + 1};
    spec.tasks = {{1, {}}};
    spec.tasks[0].request.gpus = gpus;
    tell(JobSubmitted{id, std::move(spec), {}});
    tell(TaskStarted{id, 1, 0, {}});
    return id;
  }

  /// How busy the SMs of each device are, in millionths; none: it is not read. Without `by_sm` the
  /// driver's utilisation is that, else it says 100 %.
  void read(const std::vector<std::optional<std::int64_t>>& ppm, bool by_sm = true) {
    std::vector<GpuReading> readings(ppm.size());
    for (std::size_t i = 0; i < ppm.size(); ++i) {
      readings[i].fresh = ppm[i].has_value();
      readings[i].sample.at = now;
      readings[i].sample.health = GpuHealth::Ok;
      if (!ppm[i]) continue;
      auto& values = readings[i].sample.values;
      if (by_sm) values[static_cast<std::size_t>(GpuMetric::SmActive)] = *ppm[i];
      values[static_cast<std::size_t>(GpuMetric::Utilisation)] = by_sm ? 100 : *ppm[i] / 10'000;
    }
    telemetry.gpus.report("n", readings);
  }

  Time now{seconds(1'700'000'000).ns};
  Event last;
  control::Controller core{control::Config{}};
  Telemetry telemetry{core};
};

}  // namespace gyre::server::test
