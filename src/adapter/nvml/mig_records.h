#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/nvml/mig_driver.h"
#include "base/result.h"

namespace gyre::nvml {

/// That an instance is Gyre's: written before it is made, and again once it is known which it is.
struct MigRecord {
  std::string task;                 // act::TaskKey as text
  std::string boot;                 // instances do not outlive the machine's run
  std::string device;               // UUID
  unsigned profile = 0;             // the driver's number
  std::vector<unsigned> before;     // ids that there were on the device
  std::optional<GpuInstance> made;  // `computes` is not kept

  bool operator==(const MigRecord&) const = default;
};

std::string to_text(const MigRecord& record);
/// Errors: Invalid, which line is wrong.
Result<MigRecord> parse_mig_record(std::string_view text);

/// Whether the record is of this instance. One that was about to be made is known by what was there
/// before and by having no compute instance: that is made only when the record says which it is.
bool is_of(const MigRecord& record, const GpuInstance& instance);

/// Records in a folder, one file a task, by key. Not thread-safe.
class MigRecords {
 public:
  /// Reads what is there. A record that is damaged is left, and told by `damaged`.
  explicit MigRecords(std::string folder);

  const std::map<std::string, MigRecord>& all() const { return all_; }
  const std::vector<std::string>& damaged() const { return damaged_; }

  /// Durable on return. Errors: the disk's.
  Result<void> put(const MigRecord& record);
  void remove(const std::string& task);

  /// Whether one of another task than `except` is of an instance of `device`.
  bool owns(const std::string& device, const GpuInstance& instance,
            const std::string& except = "") const;

 private:
  const std::string folder_;
  std::map<std::string, MigRecord> all_;
  std::vector<std::string> damaged_;
};

/// Different after each start of the machine.
std::string this_boot();

}  // namespace gyre::nvml
