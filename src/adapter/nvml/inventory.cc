#include "adapter/nvml/inventory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "adapter/nvml/library.h"
#include "adapter/nvml/patience.h"

namespace gyre::nvml {
namespace {

/// As NVIDIA's own tools name it: the fabric's UUID and the clique in it.
std::string fabric_of(const Library& nvml, NvmlDevice* device) {
  NvmlFabric fabric{};
  if (nvml.fabric(device, &fabric) != kSuccess) return "";
  const auto& bytes = fabric.cluster;
  const bool joins = std::any_of(std::begin(bytes), std::end(bytes), [](auto b) { return b != 0; });
  if (fabric.state != kFabricJoined || fabric.status != kSuccess || !joins) return "";
  std::string text;
  for (std::size_t i = 0; i < std::size(bytes); ++i) {
    text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
  }
  return fmt::format("{}.{}", text, fabric.clique);
}

Result<act::Gpu> read(const Library& nvml, unsigned index) {
  NvmlDevice* device = nullptr;
  std::array<char, kTextBytes> name{};
  std::array<char, kTextBytes> uuid{};
  NvmlMemory memory{};
  int code = nvml.by_index(index, &device);
  if (code == kSuccess) code = nvml.name(device, name.data(), kTextBytes - 1);
  if (code == kSuccess) code = nvml.uuid(device, uuid.data(), kTextBytes - 1);
  if (code == kSuccess) code = nvml.memory(device, &memory);
  if (code != kSuccess) return nvml.failed(fmt::format("describe GPU {}", index), code);
  const MemoryMib usable{static_cast<std::int64_t>(memory.total / 1'048'576)};
  act::Gpu gpu;
  gpu.model = act::short_gpu_model(name.data());
  gpu.memory = act::nominal_gpu_memory(name.data(), usable);
  gpu.id = uuid.data();
  unsigned mig = 0;
  unsigned pending = 0;
  gpu.mig_mode = nvml.mig_mode(device, &mig, &pending) == kSuccess && mig == 1;
  int major = 0;
  int minor = 0;
  if (nvml.compute_capability(device, &major, &minor) == kSuccess) gpu.compute_capability = major;
  std::array<char, kTextBytes> driver{};
  if (nvml.driver_version(driver.data(), kTextBytes - 1) == kSuccess) gpu.driver = driver.data();
  NvmlPci pci{};
  if (nvml.pci(device, &pci) == kSuccess) gpu.bus_id = pci.id;
  for (auto& [link, remote] : read_links(nvml, device)) gpu.links.push_back(std::move(remote));
  gpu.fabric = fabric_of(nvml, device);
  return gpu;
}

Result<std::vector<act::Gpu>> read_all(const Library& nvml) {
  unsigned count = 0;
  if (const int code = nvml.count(&count); code != kSuccess) {
    return nvml.failed("count its GPUs", code);
  }
  std::vector<act::Gpu> gpus;
  for (unsigned index = 0; index < count; ++index) {
    auto gpu = read(nvml, index);
    if (!gpu) return tl::unexpected(gpu.error());
    gpus.push_back(std::move(*gpu));
  }
  return gpus;
}

Result<std::vector<act::Gpu>> ask(const std::string& library) {
  const auto nvml = Library::load(library);
  if (!nvml) return tl::unexpected(nvml.error());
  if (const int code = nvml->init(); code != kSuccess) return nvml->failed("start", code);
  auto gpus = read_all(*nvml);
  nvml->shutdown();
  return gpus;
}

}  // namespace

Result<std::vector<act::Gpu>> find_gpus(const std::string& library, Duration patience) {
  return answer_within<std::vector<act::Gpu>>(patience, [library] { return ask(library); });
}

}  // namespace gyre::nvml
