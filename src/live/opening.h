#pragma once

#include <vector>

#include "control/controller.h"
#include "domain/event.h"
#include "domain/node.h"
#include "domain/policy.h"

namespace gyre::live {

/// What a server is started with.
struct Opening {
  PolicySpec policy;
  QueueSpec queue;
  NodeSpec node;
};

/// The events that bring `core` to what the server was started with; none if it is there already. A
/// node is known by its name. One that has changed since (other GPUs, more memory) is lost with
/// what runs on it, and joins anew.
std::vector<Event::Body> opening_events(const control::Controller& core, const Opening& opening);

}  // namespace gyre::live
