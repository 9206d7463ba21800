#include "apps/guarantee_watch.h"

#include <fmt/format.h>

#include <map>
#include <variant>

#include "apps/machine.h"
#include "control/controller.h"
#include "domain/queue.h"

namespace gyre::apps {
namespace {

bool changes_fleet(const Event& event) {
  return std::holds_alternative<NodeJoined>(event.body) ||
         std::holds_alternative<NodeReturned>(event.body) ||
         std::holds_alternative<NodeLost>(event.body);
}

}  // namespace

void GuaranteeWatch::after(const Event& event, const control::Decisions& /*decisions*/,
                           const control::Controller& core) {
  if (std::holds_alternative<QueueSet>(event.body)) {
    looked_ = false;  // others of the same file may follow
    return;
  }
  const auto& nodes = core.cluster().nodes();
  if (nodes.empty() || nodes.size() < nodes_expected_) return;
  if (looked_ && !changes_fleet(event)) return;
  looked_ = true;
  std::map<std::string, ResourceSum> up;
  for (const Node& node : nodes) {
    if (!node.up) continue;
    up[node.spec.partition] += {std::int64_t{kWholeGpu.value} * node.spec.gpus, node.spec.cpu.value,
                                node.spec.memory.value};
  }
  for (const auto& [partition, sum] : up) {
    const auto fine = validate_guarantees(core.queues(), partition, sum);
    if (fine) {
      lacking_.erase(partition);
    } else if (lacking_.insert(partition).second) {
      say(
          fmt::format("warning: {}; until more nodes are up, not every queue gets what it is "
                      "guaranteed",
                      fine.error().message));
    }
  }
}

}  // namespace gyre::apps
