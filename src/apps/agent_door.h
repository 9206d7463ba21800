#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/outcome.h"
#include "live/fault_desk.h"
#include "live/fleet.h"
#include "live/gatekeeper.h"

namespace gyre::apps {

/// Where agents of other machines come in; a build without gRPC has none.
class AgentDoor {
 public:
  /// Keeps a file of the authority elsewhere too, by its name in the folder.
  using Share = std::function<Result<void>(const std::string& name, const std::string& content)>;

  /// Opens the fleet's authority in `folder`, or makes one; `share` may be empty. Errors: the disk;
  /// a build without gRPC.
  static cli::Outcome<std::unique_ptr<AgentDoor>> prepare(const std::string& folder, Share share);
  ~AgentDoor();

  live::Gatekeeper& keeper();

  /// Lets agents in at `address`, "0.0.0.0:8643"; returns the port. The others outlive this.
  /// Errors: the address cannot be listened on.
  cli::Outcome<int> open(const std::string& address, live::Fleet& fleet, live::FaultDesk& faults);
  /// Ends all connections.
  void close();

 private:
  struct Impl;
  explicit AgentDoor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::apps
