#include "server/api/guarantees.h"

namespace gyre::server {

std::map<std::string, std::int64_t> gpu_milli_up(const Cluster& cluster) {
  std::map<std::string, std::int64_t> sums;
  for (const Node& node : cluster.nodes()) {
    if (node.up) sums[node.spec.partition] += std::int64_t{kWholeGpu.value} * node.spec.gpus;
  }
  return sums;
}

GuaranteeViews view_guarantees(const control::Controller& core) {
  GuaranteeViews views;
  for (const QueueSpec& queue : core.queues()) {
    GuaranteeView& view = views[queue.partition];
    if (queue.parent.empty()) view.gpu_milli_guaranteed += queue.guaranteed.gpu_milli;
  }
  auto up = gpu_milli_up(core.cluster());
  for (auto& [partition, view] : views) view.gpu_milli_up = up[partition];
  return views;
}

void write_guarantees(JsonText& out, const GuaranteeViews& views) {
  out.open('[');
  for (const auto& [name, gpus] : views) {
    out.open('{')
        .member("name", name)
        .member("gpu_milli_guaranteed", gpus.gpu_milli_guaranteed)
        .member("gpu_milli_up", gpus.gpu_milli_up)
        .close('}');
  }
  out.close(']');
}

}  // namespace gyre::server
