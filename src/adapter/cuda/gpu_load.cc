#include "adapter/cuda/gpu_load.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace gyre::cuda {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kThreads = 256;
constexpr std::uint32_t kBlocks = 1024;
constexpr std::uint32_t kRounds = 20'000;
constexpr std::size_t kFillPercent = 80;  // of what is free
constexpr std::array<std::uint32_t, 4> kPatterns{0x00000000U, 0xffffffffU, 0xaaaaaaaaU,
                                                 0x55555555U};

// NVIDIA's PTX, for any device since 2014. `compute` gives each thread a number that expected()
// gives, too; `verify` counts the words that are not as they should be.
constexpr const char* kKernels = R"(
.version 6.0
.target sm_50
.address_size 64
.visible .entry compute(.param .u64 out, .param .u32 rounds)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .f32 %f<2>;
  .reg .b64 %a<4>;
  ld.param.u64 %a1, [out];
  ld.param.u32 %r5, [rounds];
  cvta.to.global.u64 %a1, %a1;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r0, %r1, %r2, %r3;
  mov.u32 %r4, %r0;
LOOP:
  mad.lo.u32 %r4, %r4, 1664525, 1013904223;
  shr.u32 %r6, %r4, 9;
  or.b32 %r6, %r6, 0x3f800000;
  mov.b32 %f0, %r6;
  fma.rn.f32 %f0, %f0, %f0, %f0;
  mov.b32 %r6, %f0;
  xor.b32 %r4, %r4, %r6;
  sub.u32 %r5, %r5, 1;
  setp.ne.u32 %p1, %r5, 0;
  @%p1 bra LOOP;
  mul.wide.u32 %a2, %r0, 4;
  add.u64 %a1, %a1, %a2;
  st.global.u32 [%a1], %r4;
  ret;
}
.visible .entry verify(.param .u64 data, .param .u64 count, .param .u32 wanted, .param .u64 wrong)
{
  .reg .pred %p<3>;
  .reg .b32 %r<8>;
  .reg .b64 %a<8>;
  ld.param.u64 %a1, [data];
  ld.param.u64 %a2, [count];
  ld.param.u32 %r5, [wanted];
  ld.param.u64 %a3, [wrong];
  cvta.to.global.u64 %a1, %a1;
  cvta.to.global.u64 %a3, %a3;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r0, %r1, %r2, %r3;
  cvt.u64.u32 %a4, %r0;
  mov.u32 %r4, %nctaid.x;
  mul.wide.u32 %a5, %r4, %r2;
LOOP:
  setp.ge.u64 %p1, %a4, %a2;
  @%p1 bra DONE;
  shl.b64 %a6, %a4, 2;
  add.u64 %a6, %a1, %a6;
  ld.global.cv.u32 %r6, [%a6];
  setp.eq.u32 %p2, %r6, %r5;
  add.u64 %a4, %a4, %a5;
  @%p2 bra LOOP;
  red.global.add.u32 [%a3], 1;
  bra LOOP;
DONE:
  ret;
}
)";

/// What `compute` is to give thread `index`.
std::uint32_t expected(std::uint32_t index) {
  std::uint32_t value = index;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    value = value * 1664525U + 1013904223U;
    const auto number = std::bit_cast<float>(value >> 9U | 0x3f800000U);
    value ^= std::bit_cast<std::uint32_t>(std::fmaf(number, number, number));
  }
  return value;
}

using Device = int;
using Handle = void*;          // of a context, a module, a function
using Memory = std::uint64_t;  // of a device

/// The calls of CUDA's driver that are needed, from the library that is there.
struct Driver {
  int (*init)(unsigned) = nullptr;
  int (*count)(int*) = nullptr;
  int (*get)(Device*, int) = nullptr;
  int (*create)(Handle*, unsigned, Device) = nullptr;
  int (*destroy)(Handle) = nullptr;
  int (*synchronize)() = nullptr;
  int (*free_memory)(std::size_t*, std::size_t*) = nullptr;
  int (*allocate)(Memory*, std::size_t) = nullptr;
  int (*fill)(Memory, unsigned, std::size_t) = nullptr;
  int (*read)(void*, Memory, std::size_t) = nullptr;
  int (*load)(Handle*, const void*) = nullptr;
  int (*function)(Handle*, Handle, const char*) = nullptr;
  int (*launch)(Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                Handle, void**, void**) = nullptr;
  int (*name)(int, const char**) = nullptr;

  Result<void> check(int code, const char* what) const {
    if (code == 0) return {};
    const char* text = nullptr;
    if (name(code, &text) != 0 || text == nullptr) text = "an unknown error";
    return fail(ErrorKind::Internal, "{}: {}", what, text);
  }
};

template <class Function>
bool bind(void* library, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, symbol));
  return function != nullptr;
}

/// Never unloaded: a thread of it may hang.
std::optional<Driver> load_driver(const std::string& file) {
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return std::nullopt;
  Driver driver;
  const bool whole =
      bind(library, "cuInit", driver.init) && bind(library, "cuDeviceGetCount", driver.count) &&
      bind(library, "cuDeviceGet", driver.get) && bind(library, "cuCtxCreate_v2", driver.create) &&
      bind(library, "cuCtxDestroy_v2", driver.destroy) &&
      bind(library, "cuCtxSynchronize", driver.synchronize) &&
      bind(library, "cuMemGetInfo_v2", driver.free_memory) &&
      bind(library, "cuMemAlloc_v2", driver.allocate) &&
      bind(library, "cuMemsetD32_v2", driver.fill) &&
      bind(library, "cuMemcpyDtoH_v2", driver.read) &&
      bind(library, "cuModuleLoadData", driver.load) &&
      bind(library, "cuModuleGetFunction", driver.function) &&
      bind(library, "cuLaunchKernel", driver.launch) &&
      bind(library, "cuGetErrorName", driver.name);
  return whole ? std::optional(driver) : std::nullopt;
}

/// One device under load, on a thread of its own. What it takes is gone with its context.
class LoadTest {
 public:
  LoadTest(const Driver& driver, int index) : driver_(driver), index_(index) {}

  Result<void> run(Clock::time_point until, const std::vector<std::uint32_t>& wanted) {
    Result<void> result = prepare();
    std::size_t round = 0;
    while (result && (round == 0 || Clock::now() < until)) {
      result = compute(wanted);
      if (result) result = remember(kPatterns[round++ % kPatterns.size()]);
    }
    if (context_ != nullptr) driver_.destroy(context_);
    if (result) return result;
    return fail(ErrorKind::Internal, "GPU {}: {}", index_, result.error().message);
  }

  std::size_t bytes() const { return words_ * 4; }

 private:
  Result<void> prepare() {
    Device device = 0;
    if (auto done = driver_.check(driver_.get(&device, index_), "getting it"); !done) return done;
    if (auto done = driver_.check(driver_.create(&context_, 0, device), "a context"); !done) {
      return done;
    }
    Handle module = nullptr;
    if (auto done = driver_.check(driver_.load(&module, kKernels), "loading kernels"); !done) {
      return done;
    }
    for (auto& [function, name] :
         {std::pair(&compute_, "compute"), std::pair(&verify_, "verify")}) {
      auto done = driver_.check(driver_.function(function, module, name), "finding a kernel");
      if (!done) return done;
    }
    std::size_t free = 0;
    std::size_t total = 0;
    if (auto done = driver_.check(driver_.allocate(&out_, kThreads * kBlocks * 4), "memory");
        !done) {
      return done;
    }
    if (auto done = driver_.check(driver_.allocate(&wrong_, 4), "memory"); !done) return done;
    if (auto done = driver_.check(driver_.free_memory(&free, &total), "free memory"); !done) {
      return done;
    }
    words_ = free / 100 * kFillPercent / 4;
    return driver_.check(driver_.allocate(&data_, words_ * 4), "allocating most of its memory");
  }

  Result<void> launch(Handle function, std::vector<void*> arguments) {
    auto done = driver_.check(driver_.launch(function, kBlocks, 1, 1, kThreads, 1, 1, 0, nullptr,
                                             arguments.data(), nullptr),
                              "starting a kernel");
    if (!done) return done;
    return driver_.check(driver_.synchronize(), "computing");
  }

  Result<void> compute(const std::vector<std::uint32_t>& wanted) {
    std::uint32_t rounds = kRounds;
    if (auto done = launch(compute_, {&out_, &rounds}); !done) return done;
    std::vector<std::uint32_t> found(wanted.size());
    auto done = driver_.check(driver_.read(found.data(), out_, found.size() * 4), "reading");
    if (!done || found == wanted) return done;
    return fail(ErrorKind::Internal, "it computes wrongly");
  }

  Result<void> remember(std::uint32_t pattern) {
    std::uint64_t count = words_;
    std::uint32_t wrong = 0;
    if (auto done = driver_.check(driver_.fill(data_, pattern, words_), "writing"); !done) {
      return done;
    }
    if (auto done = driver_.check(driver_.fill(wrong_, 0, 1), "writing"); !done) return done;
    if (auto done = launch(verify_, {&data_, &count, &pattern, &wrong_}); !done) return done;
    auto done = driver_.check(driver_.read(&wrong, wrong_, 4), "reading");
    if (!done || wrong == 0) return done;
    return fail(ErrorKind::Internal, "{} words of its memory are not what was written", wrong);
  }

  const Driver& driver_;
  const int index_;
  Handle context_ = nullptr;
  Handle compute_ = nullptr;
  Handle verify_ = nullptr;
  Memory out_ = 0;
  Memory wrong_ = 0;
  Memory data_ = 0;
  std::size_t words_ = 0;
};

}  // namespace

Result<std::string> load_gpus(Duration lasts, const std::string& library) {
  const auto driver = load_driver(library);
  if (!driver) return fail(ErrorKind::Unsupported, "this machine has no CUDA driver");
  if (auto ready = driver->check(driver->init(0), "CUDA's driver"); !ready) {
    return tl::unexpected(ready.error());
  }
  int count = 0;
  if (auto found = driver->check(driver->count(&count), "CUDA's devices"); !found) {
    return tl::unexpected(found.error());
  }
  if (count == 0) return fail(ErrorKind::Unsupported, "CUDA's driver has no device");
  // A part of the threads is compared, the same one on each device.
  std::vector<std::uint32_t> wanted(std::size_t{8} * kThreads);
  for (std::uint32_t i = 0; i < wanted.size(); ++i) wanted[i] = expected(i);
  const auto until = Clock::now() + std::chrono::nanoseconds(lasts.ns);
  std::vector<LoadTest> tests;
  for (int i = 0; i < count; ++i) tests.emplace_back(*driver, i);
  std::vector<Result<void>> results(tests.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < tests.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = tests[i].run(until, wanted); });
    }
  }
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tests.size(); ++i) {
    if (!results[i]) return tl::unexpected(results[i].error());
    bytes += tests[i].bytes();
  }
  return fmt::format("{} computed as they should, {} MiB were written and read", count,
                     bytes >> 20);
}

}  // namespace gyre::cuda
