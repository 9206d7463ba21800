#include "domain/mig.h"

#include <algorithm>
#include <array>

namespace gyre {
namespace {

constexpr MemoryMib gb(std::int64_t value) { return {value * 1024}; }

constexpr std::array<MigProfile, 3> kA30{{{"1g.6gb", 1, 1, gb(6), 4, {250}},
                                          {"2g.12gb", 2, 2, gb(12), 2, {500}},
                                          {"4g.24gb", 4, 4, gb(24), 1, {1000}}}};
constexpr std::array<MigProfile, 3> kRtxPro6000{{{"1g.24gb", 1, 1, gb(24), 4, {250}},
                                                 {"2g.48gb", 2, 2, gb(48), 2, {500}},
                                                 {"4g.96gb", 4, 4, gb(96), 1, {1000}}}};

/// The devices with seven compute and eight memory slices differ in their sizes alone.
constexpr std::array<MigProfile, 6> seven(std::array<std::string_view, 6> names,
                                          std::array<std::int64_t, 6> sizes_gb) {
  return {{{names[0], 1, 1, gb(sizes_gb[0]), 7, {142}},
           {names[1], 1, 2, gb(sizes_gb[1]), 4, {250}},
           {names[2], 2, 2, gb(sizes_gb[2]), 3, {285}},
           {names[3], 3, 4, gb(sizes_gb[3]), 2, {430}},
           {names[4], 4, 4, gb(sizes_gb[4]), 1, {570}},
           {names[5], 7, 8, gb(sizes_gb[5]), 1, {1000}}}};
}

constexpr auto k40 = seven({"1g.5gb", "1g.10gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"},
                           {5, 10, 10, 20, 20, 40});
constexpr auto k80 = seven({"1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"},
                           {10, 20, 20, 40, 40, 80});
constexpr auto k141 = seven({"1g.18gb", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb"},
                            {18, 35, 35, 71, 71, 141});
constexpr auto k180 = seven({"1g.23gb", "1g.45gb", "2g.45gb", "3g.90gb", "4g.90gb", "7g.180gb"},
                            {23, 45, 45, 90, 90, 180});
constexpr auto k288 = seven({"1g.34gb", "1g.67gb", "2g.67gb", "3g.135gb", "4g.135gb", "7g.269gb"},
                            {34, 67, 67, 135, 135, 269});

struct Family {
  std::string_view model;
  MemoryMib memory_max;  // of the device; the model's next larger variant has more
  std::span<const MigProfile> profiles;
};
constexpr std::array<Family, 8> kFamilies{{{"A30", gb(24), kA30},
                                           {"A100", gb(40), k40},
                                           {"A100", gb(80), k80},
                                           {"H100", gb(80), k80},
                                           {"H200", gb(141), k141},
                                           {"B200", gb(192), k180},
                                           {"B300", gb(288), k288},
                                           {"RTXPRO6000", gb(96), kRtxPro6000}}};

}  // namespace

std::span<const MigProfile> mig_profiles(std::string_view gpu_model, MemoryMib gpu_memory) {
  for (const Family& family : kFamilies) {
    if (gpu_model.starts_with(family.model) && gpu_memory.value > 0 &&
        gpu_memory <= family.memory_max) {
      return family.profiles;
    }
  }
  return {};
}

const MigProfile* mig_profile(std::string_view gpu_model, MemoryMib gpu_memory, GpuMilli share) {
  const auto profiles = mig_profiles(gpu_model, gpu_memory);
  const auto found = std::find_if(profiles.begin(), profiles.end(),
                                  [&](const MigProfile& it) { return it.share == share; });
  return found == profiles.end() ? nullptr : &*found;
}

}  // namespace gyre
