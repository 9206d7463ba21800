#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapter/nvml/library.h"
#include "base/result.h"
#include "domain/mig.h"

namespace gyre::nvml {

/// A GPU instance as the driver lists it. Nothing in it says who made it.
struct GpuInstance {
  unsigned id = 0;  // on its device; given again once it is free
  unsigned profile = 0;
  unsigned start = 0;  // its first slice of memory, and how many
  unsigned size = 0;
  bool computes = false;  // it has a compute instance

  bool operator==(const GpuInstance&) const = default;
};

/// What a task needs to compute in an instance.
struct MigDevice {
  std::string uuid;  // "MIG-5c2a0f6e-...", for CUDA_VISIBLE_DEVICES
  unsigned gpu_minor = 0;
  unsigned gpu_instance = 0;
  unsigned compute_instance = 0;
};

/// Makes and destroys MIG instances (NVML API Reference Guide, "Multi Instance GPU Management").
/// Devices are called by UUID. Calls block, for ever when the driver hangs; one thread at a time.
/// Errors are of kind Unavailable where a later try may do: no room, in use.
class MigDriver {
 public:
  /// Errors: as Library::load(), and the driver's.
  static Result<std::unique_ptr<MigDriver>> open(const std::string& library);
  ~MigDriver();

  /// All of a device, by id; none where it is not in MIG mode. Errors: NotFound, there is
  /// no such device; Internal, as of a user who may not make instances.
  Result<std::vector<GpuInstance>> instances(const std::string& device);

  /// The driver's number of a profile.
  Result<unsigned> profile_id(const std::string& device, const MigProfile& profile);

  /// A GPU instance where it leaves most room for large profiles: beside others, else at the end.
  /// `id`: the driver's number of the profile.
  Result<GpuInstance> make(const std::string& device, const MigProfile& profile, unsigned id);

  /// A compute instance over all of it.
  Result<MigDevice> make_compute(const std::string& device, const GpuInstance& instance,
                                 const MigProfile& profile);

  /// With all in it. Errors: also Unavailable, a process uses it.
  Result<void> destroy(const std::string& device, const GpuInstance& instance);

 private:
  explicit MigDriver(Library library) : nvml_(std::move(library)) {}

  Result<NvmlDevice*> find(const std::string& device);
  Result<NvmlGpuInstance*> find(NvmlDevice* device, const GpuInstance& instance);
  std::vector<NvmlComputeInstance*> computing_in(NvmlGpuInstance* instance);
  std::vector<NvmlPlacement> free_places(NvmlDevice* device, unsigned profile,
                                         const std::vector<GpuInstance>& taken);

  const Library nvml_;
};

/// The place for an instance: next to what is taken of the same half, else the last one, so that
/// halves and the whole stay free for large profiles. Requires: `places` is not empty.
NvmlPlacement best_place(const std::vector<NvmlPlacement>& places,
                         const std::vector<GpuInstance>& taken);

}  // namespace gyre::nvml
