#include "apps/breakable_node.h"

#ifdef GYRE_HAVE_ADAPTER_GRPC

#include "apps/machine.h"

namespace gyre::apps {

BreakableNode::BreakableNode(Membership& member, const std::string& folder,
                             const std::string& tasks)
    : member_(member),
      dialer_(member.dialer()),
      breaker_(tasks),
      disk_(folder),
      taker_(breaker_, disk_, dialer_) {}

void BreakableNode::begin(bool allowed) {
  if (!allowed) return;
  say("--chaos: this node may be broken on purpose, when the server's operator asks for it");
  member_.take_faults([this](const act::FaultOrder& order) { return taker_.obey(order); },
                      [this] { return taker_.able(); });
}

}  // namespace gyre::apps

#endif
