#include "domain/sharing.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>

#include "domain/cluster.h"
#include "domain/mig.h"

namespace gyre {
namespace {

bool is_share(const Request& request) { return request.gpu_milli < kWholeGpu; }

std::string mig_shares(const Shape& shape) {
  std::string list;
  for (const MigProfile& profile : mig_profiles(shape.gpu_model, shape.gpu_memory)) {
    if (profile.share == kWholeGpu) continue;
    list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", profile.share.value / 1000.0,
                        profile.name);
  }
  return list.empty() ? "none that is known" : list;
}

}  // namespace

std::string_view to_string(Sharing sharing) {
  static constexpr std::array<std::string_view, kSharingCount> kNames{"auto", "exclusive", "mps",
                                                                      "mig", "timeslice"};
  return kNames[static_cast<std::size_t>(sharing)];
}

bool can_share(const Shape& shape, const Request& request) {
  if (shape.gpu_sharing == Sharing::Mig) {
    // One process sees one instance, whatever it is given (NVIDIA MIG User Guide, "CUDA Device
    // Enumeration").
    if (request.gpus > 1) return false;
    const bool wanted = request.sharing == Sharing::Auto || request.sharing == Sharing::Mig ||
                        (request.sharing == Sharing::Exclusive && !is_share(request));
    return wanted && mig_profile(shape.gpu_model, shape.gpu_memory, request.gpu_milli) != nullptr;
  }
  if (!is_share(request)) return true;
  if (shape.gpu_sharing == Sharing::Exclusive) return false;
  return request.sharing == Sharing::Auto || request.sharing == shape.gpu_sharing;
}

std::string why_not_shared(const Shape& shape, const Request& request) {
  if (shape.gpu_sharing == Sharing::Exclusive) return "its GPUs are given whole only";
  if (shape.gpu_sharing != Sharing::Mig) {
    return fmt::format("its GPUs share by {}, not by {}", to_string(shape.gpu_sharing),
                       to_string(request.sharing));
  }
  if (request.gpus > 1) return "its GPUs are in MIG mode, where a task gets one instance";
  if (request.sharing != Sharing::Auto && request.sharing != Sharing::Mig) {
    return fmt::format("its GPUs are in MIG mode, and share by mig, not by {}",
                       to_string(request.sharing));
  }
  return fmt::format("its GPUs are in MIG mode, whose shares are {}; none is {}", mig_shares(shape),
                     request.gpu_milli.value / 1000.0);
}

Sharing given_sharing(Sharing node, const Request& request) {
  if (request.gpus == 0) return Sharing::Exclusive;
  if (node == Sharing::Mig) return Sharing::Mig;
  return is_share(request) ? node : Sharing::Exclusive;
}

}  // namespace gyre
