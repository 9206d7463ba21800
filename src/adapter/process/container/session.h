#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "adapter/process/artifacts/collect.h"
#include "adapter/process/cgroups.h"
#include "adapter/process/container/box.h"
#include "adapter/process/container/init_protocol.h"
#include "adapter/process/container/plan.h"
#include "adapter/process/files.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre::process {

/// A process that is to become the runtime, in its control groups already: to move one into a group
/// of version 1 can take 15 ms. It ends with this object, unless it has become something.
struct RuntimeSeed {
  pid_t pid = 0;
  Fd line;    // to what will be the container's first process
  Fd orders;  // what to become; see ContainerSession::launch()

  /// Leaves the namespace of mounts, in which it is then too. Requires: as leave_namespace().
  static Result<RuntimeSeed> plant(const TaskGroups& groups);
};

/// One container, from the runtime's start to the end of its command. Errors are worded for the
/// job's owner. Requires: one thread, which is a subreaper; calls in the order below.
class ContainerSession {
 public:
  /// Where the command's output goes. Its user owns them afterwards, so that it may open
  /// /dev/stdout.
  struct Output {
    Fd out;
    Fd err;
    Fd door;  // where further commands are asked for; may be none
  };

  explicit ContainerSession(ContainerPlan plan) : plan_(std::move(plan)) {}

  /// Makes the box. See make_box(). Requires: a RuntimeSeed was planted.
  Result<void> make_root();

  /// Has the seed become the runtime, and does not wait for it.
  Result<void> launch(RuntimeSeed seed);

  /// Waits until the container's first process runs; that is a child of the caller then. Returns
  /// when that was, by the monotonic clock.
  Result<Time> wait_ready();

  /// Has it run the command. Returns when the command ran, by the monotonic clock.
  Result<Time> run(const std::string& folder, const std::vector<std::string>& command,
                   const std::vector<std::string>& env, const Output& output);

  const ContainerPlan& plan() const { return plan_; }

  /// Where the task's files are. Requires: the first process runs; the result keeps the container's
  /// mounts for as long as it lives.
  ArtifactSource files(const std::string& folder) const;
  pid_t init() const { return init_; }

  /// Once the first process has ended with `status`: the command's own wait status, where it was
  /// told.
  int status_of_command(int status) const;

  /// True where nothing more can be written into its root, though it may be.
  bool root_is_full() const;

  /// Takes what the runtime itself keeps outside of the box away. Only runc needs it.
  void clean_up() const;

 private:
  Result<InitReport> wait_for_word();
  tl::unexpected<Error> runtime_failed(int status) const;
  std::vector<std::string> runtime_command(const char* verb) const;

  bool send_order(const InitOrder& order, const Output& output) const;

  ContainerPlan plan_;
  Box box_;
  Fd line_;  // to the container's first process
  pid_t runtime_ = 0;
  pid_t init_ = 0;
};

}  // namespace gyre::process
