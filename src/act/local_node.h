#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "domain/node.h"

namespace gyre::act {

/// NVLinks between two GPUs of a machine, or from one to its switches.
struct GpuLink {
  std::int32_t gpu = 0;   // by index among those that are offered
  std::int32_t peer = 0;  // -1: a switch
  std::int32_t links = 0;
  bool operator==(const GpuLink&) const = default;
};

/// One GPU that was found on a machine.
struct Gpu {
  std::string model;  // as people say it: "A100"
  MemoryMib memory{0};
  std::string id;  // what CUDA_VISIBLE_DEVICES calls it
  bool mig_mode = false;
  int compute_capability = 0;  // CUDA's major version; 0: unknown
  std::string driver = {};
  std::string bus_id = {};
  std::vector<std::string> links = {};  // for each NVLink that is up, who is at its other end
  std::string fabric = {};              // of NVLinks between machines; empty: none
};

/// The GPUs that a machine offers: all of one model.
struct GpuSet {
  std::string model;
  MemoryMib memory{0};               // of each
  std::vector<std::string> devices;  // CUDA's name of each
  bool is_virtual = false;
  Sharing sharing = Sharing::Timeslice;  // how fractions of them are held to their shares
  std::vector<std::string> left_out;     // what is not offered and why, one line each
  std::string driver = {};               // empty: none
  std::vector<GpuLink> links = {};
  std::string fabric = {};  // that all of them are in; empty: none

  bool operator==(const GpuSet&) const = default;
};

/// A machine without its GPUs.
struct Machine {
  std::string name;
  CpuMilli cpu{0};
  MemoryMib memory{0};
};

/// "8xH100:80GB", "2xT4": GPUs that are only declared. Errors: Invalid, with the grammar.
Result<GpuSet> parse_virtual_gpus(std::string_view text);

/// The GPUs of the most frequent model and MIG mode, the first found of equally frequent ones;
/// kGpusPerNodeMax at most, with the memory of the smallest. They share in the way that enforces
/// most: by MIG in MIG mode; by MPS where `mps_can_run` and the devices enforce its limits (CUDA
/// compute capability 7.0, NVIDIA MPS documentation, "Volta MPS"); else by turns.
GpuSet offer(const std::vector<Gpu>& found, bool mps_can_run);

/// "NVIDIA A100-SXM4-80GB" is "A100", "Tesla V100-PCIE-16GB" is "V100", "NVIDIA GeForce RTX 4090"
/// is "RTX4090": the vendor's words and the board's variant are left out, and there are no spaces.
std::string short_gpu_model(std::string_view product_name);

/// The memory under which a device is sold, which is what jobs ask for: devices report up to a
/// sixteenth less than that (ECC, reserved parts). From the product name where it says ("80GB"),
/// else `usable` rounded up to a size that is made.
MemoryMib nominal_gpu_memory(std::string_view product_name, MemoryMib usable);

/// Its NVLink domain is the fabric of its GPUs.
NodeSpec node_of(const Machine& machine, const GpuSet& gpus, std::string partition);

}  // namespace gyre::act
