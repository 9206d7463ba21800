// GET /v1/nodes/{name}/gpus and /v1/nodes/{name}/gpus/history
#include <algorithm>
#include <string>

#include "base/units.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

/// What the core knows of a node's devices.
struct NodeGpus {
  std::string node;
  struct Task {
    JobId job;
    std::int32_t rank = 0;
    Allocation allocation;
  };
  std::vector<Task> tasks;
};

Result<NodeGpus> look(const control::Controller& core, const std::string& name) {
  const auto node = find_node(core, name);
  if (!node) return tl::unexpected(node.error());
  NodeGpus out{core.cluster().node(*node).spec.name, {}};
  core.jobs().for_each([&](const Job& job) {
    for (std::size_t i = 0; i < job.placement.size(); ++i) {
      const TaskPlacement& task = job.placement[i];
      if (task.node != *node || job.tasks[i] == TaskState::Ended) continue;
      out.tasks.push_back({job.id, task.rank, task.allocation});
    }
  });
  return out;
}

void write_values(JsonText& out, const GpuWatch::Gpu& gpu) {
  for (std::size_t i = 0; i < kGpuMetricCount; ++i) {
    const auto metric = static_cast<GpuMetric>(i);
    const auto& facts = gpu_metric_facts(metric);
    if (metric != GpuMetric::ThrottleReasons) out.member(facts.name, gpu.latest.values[i]);
  }
  out.key("throttle_reasons").open('[');
  const auto& reasons = gpu.latest[GpuMetric::ThrottleReasons];
  for (const std::string_view word : throttle_words(reasons.value_or(0))) out.value(word);
  out.close(']').member("xids", gpu.latest.xids).key("last_minute").open('{');
  for (const GpuMetric metric :
       {GpuMetric::Utilisation, GpuMetric::SmActive, GpuMetric::MemoryUsed, GpuMetric::Power}) {
    const auto& window = gpu.minute[static_cast<std::size_t>(metric)];
    out.key(gpu_metric_facts(metric).name);
    if (!window) {
      out.null();
      continue;
    }
    out.open('{').member("mean", window->mean).member("max", window->max).close('}');
  }
  out.close('}');
}

void write_gpu(JsonText& out, const GpuWatch::Gpu& gpu, std::size_t device, const NodeGpus& core) {
  out.open('{')
      .member("device", device)
      .member("index", gpu.facts.index)
      .member("uuid", gpu.facts.uuid)
      .member("product", gpu.facts.product)
      .member("bus_id", gpu.facts.bus_id)
      .member("driver", gpu.facts.driver)
      .member("health", to_string(gpu.latest.health));
  out.key("sampled_at");
  if (gpu.latest.at == Time{}) {
    out.null();
  } else {
    out.value(format_utc(gpu.latest.at));
  }
  write_values(out, gpu);
  out.key("tasks").open('[');
  for (const NodeGpus::Task& task : core.tasks) {
    if (device >= kGpusPerNodeMax || (task.allocation.devices >> device & 1) == 0) continue;
    out.open('{')
        .member("job", task.job.value)
        .member("rank", task.rank)
        .member("gpu_milli", task.allocation.gpu_milli.value)
        .member("sharing", to_string(task.allocation.sharing))
        .close('}');
  }
  out.close(']').key("processes").open('[');
  for (const GpuProcess& process : gpu.latest.processes) {
    out.open('{').member("pid", process.pid).member("memory_mib", process.memory.value).close('}');
  }
  out.close(']').key("nvlinks").open('[');
  for (const NvLink& link : gpu.facts.links) {
    out.open('{').member("link", link.link).member("remote_bus_id", link.remote_bus_id).close('}');
  }
  out.close(']').close('}');
}

/// `gpus` is not empty: all have the same steps.
void write_history(JsonText& out, const std::vector<GpuWatch::Series>& gpus) {
  const observe::GaugeHistory::Series& steps = gpus.front().front();
  out.member("begins_at", format_utc(steps.begins_at))
      .member("step_s", steps.step.ns / seconds(1).ns)
      .key("gpus")
      .open('[');
  for (std::size_t device = 0; device < gpus.size(); ++device) {
    out.open('{').member("device", device);
    for (std::size_t i = 0; i < GpuWatch::kCharted.size(); ++i) {
      out.key(gpu_metric_facts(GpuWatch::kCharted[i]).name).open('[');
      for (const auto& mean : gpus[device][i].means) out.value(mean);
      out.close(']');
    }
    out.close('}');
  }
  out.close(']');
}

}  // namespace

void Api::show_gpu_history(const Call& call) const {
  const std::string window(call.request.query_value("window").value_or("1h"));
  const auto& windows = GpuWatch::kWindows;
  const auto found = std::find(windows.begin(), windows.end(), window);
  if (found == windows.end()) {
    return call.fail(bad_parameter(
        "window", fmt::format("'{}' is none of {}", window, fmt::join(windows, ", "))));
  }
  const auto index = static_cast<std::size_t>(found - windows.begin());
  ask<std::string>(
      call,
      [name = call.id](const auto& core) -> Result<std::string> {
        const auto node = find_node(core, name);
        if (!node) return tl::unexpected(node.error());
        return core.cluster().node(*node).spec.name;
      },
      [this, index](const std::string& node) {
        const auto gpus = options_.telemetry->gpus.history(node, index, machine_time());
        JsonText out;
        out.open('{').member("node", node).member("probed", !gpus.empty());
        if (!gpus.empty()) write_history(out, gpus);
        out.close('}');
        return json_response(std::move(out));
      });
}

void Api::show_gpus(const Call& call) const {
  ask<NodeGpus>(
      call, [name = call.id](const auto& core) { return look(core, name); },
      [this](const NodeGpus& core) {
        const auto gpus = options_.telemetry->gpus.read(core.node);
        JsonText out;
        out.open('{').member("node", core.node).member("probed", !gpus.empty());
        out.key("gpus").open('[');
        for (std::size_t i = 0; i < gpus.size(); ++i) write_gpu(out, gpus[i], i, core);
        out.close(']').close('}');
        return json_response(std::move(out));
      });
}

void Api::add_telemetry_routes() {
  router_.add("GET", "/v1/nodes/{id}/gpus", {}, [this](const Call& call) { show_gpus(call); });
  router_.add("GET", "/v1/nodes/{id}/gpus/history", {"window"},
              [this](const Call& call) { show_gpu_history(call); });
  router_.add("GET", "/v1/usage", {"settle"}, [this](const Call& call) { show_usage(call); });
  router_.add("GET", "/metrics", {}, [this](const Call& call) { show_metrics(call); });
}

}  // namespace gyre::server
