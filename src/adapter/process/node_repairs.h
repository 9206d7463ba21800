#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "act/node_repairs.h"
#include "adapter/process/files.h"
#include "base/result.h"

namespace gyre::process {

struct RepairOptions {
  std::string folder;                         // where the latest one's record is kept
  std::map<Repair, std::string> commands;     // of the shell's, by the node's own configuration
  std::function<void(bool)> watch_gpus = {};  // false: nothing of ours may hold a GPU open
  std::size_t gpus = 0;                       // that the machine has, all being well
};

/// Repairs this machine by commands of its operator, as this process's user: a server says that a
/// GPU is to be reset, never how. Without one of its own a reset is nvidia-smi's, and the burn-in
/// is `gyre burn-in`. A command has GYRE_GPU (CUDA's name of the GPU), GYRE_GPUS (how many there
/// should be), GYRE_REPAIR and GYRE_PROGRAM (this one) in its environment; its exit code 0 is good,
/// its last line is kept.
///
/// What was begun is on the disk before it begins, so that it is not begun twice. A reboot was good
/// if the machine was started after it was asked for; what else ran when this process ended was
/// not, since nobody knows.
class NodeRepairs final : public act::NodeRepairs {
 public:
  /// Errors: the disk's; Invalid, the record is damaged.
  static Result<std::unique_ptr<NodeRepairs>> open(RepairOptions options);

  /// Ends a burn-in; any other command goes on.
  ~NodeRepairs() override;

  void listen(std::function<void(act::RepairOver)> listener) override;
  void carry_out(const act::RepairOrder& order, const std::string& obstacle) override;
  bool busy() const override;

 private:
  struct Record {
    act::RepairOrder order;
    std::string boot;  // the machine's, when it began
    std::optional<act::RepairOver> over;
  };

  NodeRepairs(RepairOptions options, Fd folder)
      : options_(std::move(options)), folder_(std::move(folder)) {}

  Result<void> read_record();
  Result<void> write_record();
  std::optional<act::RepairOver> begin(const act::RepairOrder& order, const std::string& obstacle);
  std::optional<act::RepairOver> settled(const act::RepairOrder& order,
                                         const std::string& obstacle) const;
  void run(const act::RepairOrder& order, const std::string& command);
  void finish(const act::RepairOver& over);
  bool wait(Duration span);
  std::string command_for(Repair repair) const;

  const RepairOptions options_;
  const Fd folder_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void(act::RepairOver)> listener_;
  std::optional<Record> record_;  // of the latest
  bool busy_ = false;
  bool stop_ = false;
  std::thread worker_;
};

}  // namespace gyre::process
