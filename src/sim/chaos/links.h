#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace gyre::sim {

/// Which agents are connected, and since when which is not. An agent is, while its machine is on,
/// it itself is running, nothing is cut and the server is there. Each connection has a number:
/// what was sent on an earlier one never arrives.
class Links {
 public:
  struct Link {
    int cuts = 0;  // faults that stand between it and the server
    bool connected = false;
    bool session = false;      // it has said hello
    std::uint64_t number = 0;  // of this connection, or of this absence
    Time last_order;           // when the latest order arrives
    Duration heard_longer{0};  // though the agent hears nothing any more
  };

  explicit Links(std::uint32_t nodes) : links_(nodes) {}

  Link& at(std::uint32_t node) { return links_[node]; }
  const Link& at(std::uint32_t node) const { return links_[node]; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(links_.size()); }

  enum class Change : std::uint8_t { None, Connects, Breaks };
  /// What follows from a new state of affairs.
  Change refresh(std::uint32_t node, bool server_up) {
    Link& link = links_[node];
    const bool able = server_up && link.cuts == 0;
    if (able == link.connected) return Change::None;
    link.connected = able;
    link.session = false;
    ++link.number;
    link.last_order = Time{};
    return able ? Change::Connects : Change::Breaks;
  }

 private:
  std::vector<Link> links_;
};

}  // namespace gyre::sim
