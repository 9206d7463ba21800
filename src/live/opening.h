#pragma once

#include <optional>
#include <vector>

#include "control/controller.h"
#include "domain/event.h"
#include "domain/healing.h"
#include "domain/node.h"
#include "domain/policy.h"

namespace gyre::live {

/// What a server is started with.
struct Opening {
  PolicySpec policy;
  std::vector<QueueSpec> queues;  // parents first
  HealingSpec healing{};  // unless there are the operator's own; without rules nothing is healed
  std::optional<PriceSet> prices{};  // none: those that are in force
  std::optional<IdleSpec> idle{};    // none: what is in force
};

/// The events that bring `core` to what the server was started with; none if it is there already.
std::vector<Event::Body> opening_events(const control::Controller& core, const Opening& opening);

/// Whether the queues that are exempt exist, or are about to (`queues`): who misspells one must
/// hear of it. Errors: NotFound.
Result<void> check_exempt(const std::optional<IdleSpec>& idle, const std::vector<QueueSpec>& queues,
                          const control::Controller& core);

/// After a journal has lost its end: nothing is put on a node until its agent has come and has said
/// which tasks it has, since what runs there may be of lost jobs.
std::vector<Event::Body> distrust_nodes(const control::Controller& core);

/// What the core must learn when an agent has come, and which node it is then.
struct NodeArrival {
  NodeId node;
  std::vector<Event::Body> events;  // none: the node is known, up and heard
  bool changed = false;             // its name was another node's until now
};

/// A node is known by its name. One that has changed since it was last here (other GPUs, more
/// memory) is lost with what runs on it, and joins anew.
NodeArrival node_arrival(const control::Controller& core, const NodeSpec& spec);

}  // namespace gyre::live
