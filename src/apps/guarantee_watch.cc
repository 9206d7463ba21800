#include "apps/guarantee_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <variant>

#include "apps/machine.h"
#include "control/controller.h"
#include "domain/node_resources.h"

namespace gyre::apps {
namespace {

bool changes_fleet(const Event& event) {
  return std::holds_alternative<NodeJoined>(event.body) ||
         std::holds_alternative<NodeReturned>(event.body) ||
         std::holds_alternative<NodeLost>(event.body);
}

bool guarantees(const control::Controller& core) {
  const auto& queues = core.queues();
  return std::any_of(queues.begin(), queues.end(),
                     [](const QueueSpec& queue) { return queue.guaranteed != ResourceSum{}; });
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
  if (!guarantees(core)) return lacking_.clear();
  std::map<std::string, ResourceSum> up;
  for (const Node& node : nodes) {
    if (node.up) up[node.spec.partition] += resources_of(node.spec);
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
