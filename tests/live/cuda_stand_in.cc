// Stands in for CUDA's driver, on machines without a GPU: the calls that `gyre burn-in` makes, over
// memory of the host. What is wrong with its one device stands in CUDA_STAND_IN: "computes"
// wrongly, "forgets" a word that it was to keep, "lost" in the middle, or "none" is there.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kFree = 1 << 20;

bool is(const char* fault) {
  const char* set = std::getenv("CUDA_STAND_IN");
  return set != nullptr && std::string(set) == fault;
}

/// As the kernel of that name says.
void compute(std::uint32_t* out, std::uint32_t rounds, std::uint32_t threads) {
  for (std::uint32_t i = 0; i < threads; ++i) {
    std::uint32_t value = i;
    for (std::uint32_t round = 0; round < rounds; ++round) {
      value = value * 1664525U + 1013904223U;
      const std::uint32_t bits = value >> 9U | 0x3f800000U;
      float number = 0;
      std::memcpy(&number, &bits, 4);
      number = std::fmaf(number, number, number);
      std::uint32_t mixed = 0;
      std::memcpy(&mixed, &number, 4);
      value ^= mixed;
    }
    out[i] = is("computes") ? value + 1 : value;
  }
}

template <class T>
T& argument(void** arguments, int index) {
  return *static_cast<T*>(arguments[index]);
}

}  // namespace

extern "C" {
int cuInit(unsigned) { return 0; }
int cuDeviceGetCount(int* count) {
  *count = is("none") ? 0 : 1;
  return 0;
}
int cuDeviceGet(int* device, int index) {
  *device = index;
  return 0;
}
int cuCtxCreate_v2(void** context, unsigned, int) {
  *context = context;
  return 0;
}
int cuCtxDestroy_v2(void*) { return 0; }
int cuCtxSynchronize() { return is("lost") ? 719 : 0; }
int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  *free = *total = kFree;
  return 0;
}
int cuMemAlloc_v2(std::uint64_t* memory, std::size_t size) {
  static std::vector<std::vector<std::uint32_t>> all;
  all.emplace_back(size / 4 + 1);
  *memory = reinterpret_cast<std::uint64_t>(all.back().data());
  return 0;
}
int cuMemsetD32_v2(std::uint64_t memory, unsigned value, std::size_t count) {
  auto* words = reinterpret_cast<std::uint32_t*>(memory);
  for (std::size_t i = 0; i < count; ++i) words[i] = value;
  if (is("forgets") && count > 1) words[count / 2] = ~value;
  return 0;
}
int cuMemcpyDtoH_v2(void* to, std::uint64_t from, std::size_t size) {
  std::memcpy(to, reinterpret_cast<const void*>(from), size);
  return 0;
}
int cuModuleLoadData(void** module, const void* image) {
  *module = module;
  return std::strstr(static_cast<const char*>(image), ".entry compute") == nullptr ? 218 : 0;
}
int cuModuleGetFunction(void** function, void*, const char* name) {
  *function = const_cast<char*>(name);
  return 0;
}
int cuLaunchKernel(void* function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                   unsigned, void*, void** arguments, void**) {
  auto* first = reinterpret_cast<std::uint32_t*>(argument<std::uint64_t>(arguments, 0));
  if (std::strcmp(static_cast<const char*>(function), "compute") == 0) {
    compute(first, argument<std::uint32_t>(arguments, 1), 8 * 256);  // what is looked at
    return 0;
  }
  auto* wrong = reinterpret_cast<std::uint32_t*>(argument<std::uint64_t>(arguments, 3));
  for (std::uint64_t i = 0; i < argument<std::uint64_t>(arguments, 1); ++i) {
    *wrong += first[i] != argument<std::uint32_t>(arguments, 2) ? 1U : 0U;
  }
  return 0;
}
int cuGetErrorName(int code, const char** name) {
  *name = code == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR_NO_BINARY_FOR_GPU";
  return 0;
}
}
