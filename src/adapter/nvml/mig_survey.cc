#include "adapter/nvml/mig_survey.h"

#include <utility>

#include "adapter/nvml/mig_driver.h"
#include "adapter/nvml/mig_records.h"
#include "adapter/nvml/patience.h"

namespace gyre::nvml {
namespace {

std::string strangers_on(const std::string& device, const std::vector<GpuInstance>& instances,
                         const MigRecords& records) {
  std::string list;
  for (const GpuInstance& instance : instances) {
    if (records.owns(device, instance)) continue;
    list += fmt::format("{}{}", list.empty() ? "" : ", ", instance.id);
  }
  if (list.empty()) return {};
  return fmt::format(
      "it has MIG instances that Gyre did not make (GPU instance {}); see 'nvidia-smi mig -lgi', "
      "and destroy them with 'nvidia-smi mig -dci' and 'nvidia-smi mig -dgi'",
      list);
}

Result<std::vector<MigHindrance>> survey(const std::vector<std::string>& devices,
                                         const std::string& folder, const std::string& library) {
  const auto driver = MigDriver::open(library);
  if (!driver) return tl::unexpected(driver.error());
  const MigRecords records(folder);
  std::vector<MigHindrance> found;
  for (const std::string& device : devices) {
    const auto instances = (*driver)->instances(device);
    std::string why =
        instances ? strangers_on(device, *instances, records) : instances.error().message;
    if (!why.empty()) found.push_back({device, std::move(why)});
  }
  return found;
}

}  // namespace

Result<std::vector<MigHindrance>> survey_mig(const std::vector<std::string>& devices,
                                             const std::string& records, const std::string& library,
                                             Duration patience) {
  return answer_within<std::vector<MigHindrance>>(
      patience, [devices, records, library] { return survey(devices, records, library); });
}

}  // namespace gyre::nvml
