#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "cli/outcome.h"
#include "live/gatekeeper.h"

namespace gyre::apps {

/// Several nodes on one machine, to try a fleet out: each an agent of its own in a network
/// namespace of its own, with an address on a bridge that the server is on too. Needs root, and
/// `ip`, `nsenter` and `setpriv`. Agents end with the server; tasks go on, and the next server on
/// the same state folder finds them.
class Village {
 public:
  static constexpr int kNodesMax = 200;

  /// Makes the bridge, or finds the one of an earlier server on that state folder. Errors: not
  /// root; a command that fails, with what it says. `chaos`: its nodes may be broken on purpose.
  static cli::Outcome<std::unique_ptr<Village>> prepare(const std::string& state, int nodes,
                                                        bool chaos);

  /// Ends the agents; takes down the network of nodes on which nothing runs.
  ~Village();
  Village(const Village&) = delete;
  Village& operator=(const Village&) = delete;

  /// Only ends the agents.
  void end_agents();

  /// "10.86.0.1": the server's on the bridge.
  std::string server_address() const;

  /// Starts the agents. Errors: as prepare(), and the keeper's.
  cli::Outcome<void> populate(int server_port, const std::string& virtual_gpus,
                              const cli::NodeTerms& terms, live::Gatekeeper& keeper);

 private:
  Village(std::string state, int nodes, int street, bool chaos)
      : state_(std::move(state)), nodes_(nodes), street_(street), chaos_(chaos) {}
  std::string space_name(int node) const;
  std::string link_name(int node) const;
  std::string node_folder(int node) const;
  void remove_space(int node) const;
  cli::Outcome<void> make_space(int node) const;
  cli::Outcome<void> start_agent(int node, int server_port, const std::vector<std::string>& more,
                                 const std::string& token);

  const std::string state_;
  const int nodes_;
  const int street_;  // the third number of all its addresses
  const bool chaos_;
  std::mutex mutex_;
  std::vector<pid_t> agents_;
};

}  // namespace gyre::apps
