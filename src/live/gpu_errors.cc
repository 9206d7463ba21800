#include "live/gpu_errors.h"

#include <utility>

namespace gyre::live {

void GpuErrors::report(const std::vector<observe::GpuReading>& readings) {
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const auto device = static_cast<std::int32_t>(i);
    const observe::GpuSample& sample = readings[i].sample;
    const auto [known, is_new] = counted_.try_emplace(device, sample.xids);
    const std::int64_t before = std::exchange(known->second, sample.xids);
    const auto& last = sample[observe::GpuMetric::LastXid];
    if (sample.xids > before && last) tell(device, static_cast<std::int32_t>(*last));
  }
}

void GpuErrors::tell(std::int32_t device, std::int32_t xid) {
  // Refused only while the server ends, and then nobody acts on it any more.
  static_cast<void>(
      inbox_.ask([&inbox = inbox_, name = node_, device, xid](const control::Controller& core) {
        const auto nodes = core.cluster().nodes();
        for (std::size_t i = nodes.size(); i-- > 0;) {
          if (nodes[i].spec.name != name) continue;
          const NodeId node{static_cast<std::uint32_t>(i)};
          return inbox.post(GpuErrorSeen{node, device, xid}, nullptr);
        }
      }));
}

}  // namespace gyre::live
