#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "act/executor.h"
#include "adapter/nvml/mig_driver.h"
#include "adapter/nvml/mig_executor.h"
#include "adapter/nvml/mig_records.h"

namespace gyre::nvml {

/// The instances of tasks: makes each one on record, and destroys it by its record. Of one thread.
/// Calls block as the driver does.
class MigKeeper {
 public:
  explicit MigKeeper(const MigOptions& options) : options_(options), records_(options.folder) {}

  /// Destroys what an earlier life left of tasks that are not in `running`, and says what it cannot
  /// read.
  void take_up(const std::set<std::string>& running);

  /// Makes the task's instance and says in it how it is reached. Errors: Unavailable, no room;
  /// Internal. Then nothing of it is left, or a later retry() destroys it.
  Result<void> give(act::TaskStart& task);

  /// Destroys the task's instance; what is in use is kept for retry().
  void take_back(const std::string& task);

  /// Tries again to destroy what is left of ended tasks. True: some is still left.
  bool retry();
  bool has_leftovers() const { return !leftovers_.empty(); }

 private:
  Result<MigDriver*> driver();
  Result<void> destroy(const MigRecord& record);
  Result<MigDevice> make(MigRecord& record, const MigProfile& profile);
  Result<GpuInstance> make_in_time(const MigRecord& record, const MigProfile& profile);
  Result<std::string> node_of(const MigDevice& device, const std::string& capability) const;
  Result<void> offer_to_container(act::TaskStart& task, const MigDevice& device);
  Result<void> write_cdi() const;
  void say(const std::string& line) const {
    if (options_.notice) options_.notice(line);
  }

  const MigOptions options_;
  MigRecords records_;
  std::unique_ptr<MigDriver> driver_;
  std::set<std::string> leftovers_;  // tasks that ended and whose records are still there
  std::map<std::string, std::string> cdi_devices_;  // of containers: JSON, by task
};

}  // namespace gyre::nvml
