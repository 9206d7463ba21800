#include "live/opening.h"

#include <algorithm>
#include <string>

#include "base/units.h"

namespace gyre::live {
NodeArrival node_arrival(const control::Controller& core, const NodeSpec& spec) {
  const auto nodes = core.cluster().nodes();
  NodeArrival arrival{NodeId{static_cast<std::uint32_t>(nodes.size())}, {}, false};
  bool there = false;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const NodeId id{static_cast<std::uint32_t>(i)};
    if (nodes[i].spec == spec && !there) {
      there = true;
      arrival.node = id;
      if (!nodes[i].up) arrival.events.emplace_back(NodeReturned{id});
      if (nodes[i].silent) arrival.events.emplace_back(NodeContact{id, false});
    } else if (nodes[i].spec.name == spec.name && nodes[i].up) {
      arrival.changed = true;
      arrival.events.emplace_back(NodeLost{id, "the node has come back with other resources"});
    }
  }
  if (!there) arrival.events.emplace_back(NodeJoined{arrival.node, spec});
  return arrival;
}

std::vector<Event::Body> distrust_nodes(const control::Controller& core) {
  std::vector<Event::Body> events;
  std::uint32_t id = 0;
  for (const Node& node : core.cluster().nodes()) {
    if (node.up && !node.silent) events.emplace_back(NodeContact{NodeId{id}, true});
    ++id;
  }
  return events;
}

Result<void> check_exempt(const std::optional<IdleSpec>& idle, const std::vector<QueueSpec>& queues,
                          const control::Controller& core) {
  if (!idle) return {};
  std::vector<std::string> names;
  for (const QueueSpec& queue : core.queues()) names.push_back(queue.name);
  for (const QueueSpec& queue : queues) names.push_back(queue.name);
  for (const std::string& exempt : idle->exempt) {
    if (std::find(names.begin(), names.end(), exempt) != names.end()) continue;
    const std::string near = nearest(exempt, names);
    return fail(ErrorKind::NotFound, "exempt: there is no queue '{}'{}", exempt,
                near.empty() ? "" : "; did you mean '" + near + "'?");
  }
  return {};
}

std::vector<Event::Body> opening_events(const control::Controller& core, const Opening& opening) {
  std::vector<Event::Body> events;
  const bool fresh = core.last_event() == EventSeq{};
  if (fresh || core.policy() != opening.policy) events.emplace_back(PolicySet{opening.policy});
  for (const QueueSpec& queue : opening.queues) {
    const auto& known = core.queues();
    if (std::find(known.begin(), known.end(), queue) == known.end()) {
      events.emplace_back(QueueSet{queue});
    }
  }
  // The operator's own stay.
  const HealingSpec& healing = core.healer().spec();
  const bool own = healing.name != HealingSpec{}.name;
  if (!own && healing != opening.healing) events.emplace_back(HealingSet{opening.healing});
  if (opening.prices) {
    const PriceList* now = core.ledger().prices();
    const auto known = now == nullptr ? std::nullopt : std::optional(*now);
    if (known != opening.prices->prices) events.emplace_back(*opening.prices);
  }
  if (opening.idle && core.idle().spec() != *opening.idle) {
    events.emplace_back(IdleSet{*opening.idle});
  }
  return events;
}

}  // namespace gyre::live
