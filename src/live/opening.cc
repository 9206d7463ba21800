#include "live/opening.h"

#include <algorithm>

namespace gyre::live {
namespace {

void bring_node(const control::Controller& core, const NodeSpec& wanted,
                std::vector<Event::Body>& events) {
  const auto nodes = core.cluster().nodes();
  bool there = false;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const NodeId id{static_cast<std::uint32_t>(i)};
    const bool same = nodes[i].spec == wanted;
    if (same && !there) {
      there = true;
      if (!nodes[i].up) events.emplace_back(NodeReturned{id});
    } else if (nodes[i].spec.name == wanted.name && nodes[i].up) {
      events.emplace_back(
          NodeLost{id, "the server was started with other resources for this node"});
    }
  }
  if (!there)
    events.emplace_back(NodeJoined{NodeId{static_cast<std::uint32_t>(nodes.size())}, wanted});
}

}  // namespace

std::vector<Event::Body> opening_events(const control::Controller& core, const Opening& opening) {
  std::vector<Event::Body> events;
  const bool fresh = core.last_event() == EventSeq{};
  if (fresh || core.policy() != opening.policy) events.emplace_back(PolicySet{opening.policy});
  const auto& queues = core.queues();
  const bool known = std::any_of(queues.begin(), queues.end(), [&](const QueueSpec& queue) {
    return queue.name == opening.queue.name;
  });
  if (!known) events.emplace_back(QueueSet{opening.queue});
  bring_node(core, opening.node, events);
  return events;
}

}  // namespace gyre::live
