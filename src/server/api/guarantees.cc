#include "server/api/guarantees.h"

namespace gyre::server {

GuaranteeViews view_guarantees(const control::Controller& core) {
  GuaranteeViews views;
  for (const QueueSpec& queue : core.queues()) {
    GuaranteeView& view = views[queue.partition];
    if (queue.parent.empty()) view.gpu_milli_guaranteed += queue.guaranteed.gpu_milli;
  }
  for (const Node& node : core.cluster().nodes()) {
    const auto view = views.find(node.spec.partition);
    if (!node.up || view == views.end()) continue;
    view->second.gpu_milli_up += std::int64_t{kWholeGpu.value} * node.spec.gpus;
  }
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
