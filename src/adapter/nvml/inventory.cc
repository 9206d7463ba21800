#include "adapter/nvml/inventory.h"

#include <dlfcn.h>

#include <array>
#include <memory>

namespace gyre::nvml {
namespace {

// The part of NVML's C interface that is used. It is stable: a change of a function's meaning gets
// the function a new name with a higher _vN.
extern "C" {
struct NvmlDevice;
struct NvmlMemory {  // bytes
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
using NvmlPlain = int (*)();
using NvmlErrorString = const char* (*)(int);
using NvmlCount = int (*)(unsigned*);
using NvmlByIndex = int (*)(unsigned, NvmlDevice**);
using NvmlText = int (*)(NvmlDevice*, char*, unsigned);
using NvmlMemoryInfo = int (*)(NvmlDevice*, NvmlMemory*);
}

constexpr int kSuccess = 0;
constexpr unsigned kTextBytes =
    96;  // NVML_DEVICE_NAME_V2_BUFFER_SIZE, NVML_DEVICE_UUID_V2_BUFFER_SIZE

class Library {
 public:
  static Result<Library> load(const std::string& file);
  Result<std::vector<act::Gpu>> find() const;

 private:
  struct Unload {
    void operator()(void* handle) const { ::dlclose(handle); }
  };

  template <class Function>
  void bind(Function& function, const char* name);
  tl::unexpected<Error> failed(const char* doing, int code) const;
  Result<std::vector<act::Gpu>> read_all() const;
  Result<act::Gpu> read(unsigned index) const;

  std::unique_ptr<void, Unload> handle_;
  std::string missing_;  // the first function that it lacks
  NvmlPlain init_ = nullptr;
  NvmlPlain shutdown_ = nullptr;
  NvmlErrorString error_string_ = nullptr;
  NvmlCount count_ = nullptr;
  NvmlByIndex by_index_ = nullptr;
  NvmlText name_ = nullptr;
  NvmlText uuid_ = nullptr;
  NvmlMemoryInfo memory_ = nullptr;
};

template <class Function>
void Library::bind(Function& function, const char* name) {
  function = reinterpret_cast<Function>(::dlsym(handle_.get(), name));
  if (function == nullptr && missing_.empty()) missing_ = name;
}

Result<Library> Library::load(const std::string& file) {
  Library library;
  library.handle_.reset(::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!library.handle_) {
    return fail(ErrorKind::Unsupported,
                "no NVIDIA GPU found: the driver's library cannot be loaded ({})", ::dlerror());
  }
  library.bind(library.init_, "nvmlInit_v2");
  library.bind(library.shutdown_, "nvmlShutdown");
  library.bind(library.error_string_, "nvmlErrorString");
  library.bind(library.count_, "nvmlDeviceGetCount_v2");
  library.bind(library.by_index_, "nvmlDeviceGetHandleByIndex_v2");
  library.bind(library.name_, "nvmlDeviceGetName");
  library.bind(library.uuid_, "nvmlDeviceGetUUID");
  library.bind(library.memory_, "nvmlDeviceGetMemoryInfo");
  if (!library.missing_.empty()) {
    return fail(
        ErrorKind::Internal,
        "the NVIDIA driver's library {} lacks {}: it is too old or damaged; update the driver",
        file, library.missing_);
  }
  return library;
}

tl::unexpected<Error> Library::failed(const char* doing, int code) const {
  const char* words = error_string_(code);
  return fail(ErrorKind::Internal,
              "the NVIDIA driver fails to {}: {} (NVML error {}); see nvidia-smi", doing,
              words == nullptr ? "unknown" : words, code);
}

Result<act::Gpu> Library::read(unsigned index) const {
  NvmlDevice* device = nullptr;
  std::array<char, kTextBytes> name{};
  std::array<char, kTextBytes> uuid{};
  NvmlMemory memory{};
  int code = by_index_(index, &device);
  if (code == kSuccess) code = name_(device, name.data(), kTextBytes - 1);
  if (code == kSuccess) code = uuid_(device, uuid.data(), kTextBytes - 1);
  if (code == kSuccess) code = memory_(device, &memory);
  if (code != kSuccess) return failed(fmt::format("describe GPU {}", index).c_str(), code);
  const MemoryMib usable{static_cast<std::int64_t>(memory.total / 1'048'576)};
  return act::Gpu{.model = act::short_gpu_model(name.data()),
                  .memory = act::nominal_gpu_memory(name.data(), usable),
                  .id = uuid.data()};
}

Result<std::vector<act::Gpu>> Library::read_all() const {
  unsigned count = 0;
  if (const int code = count_(&count); code != kSuccess) return failed("count its GPUs", code);
  std::vector<act::Gpu> gpus;
  for (unsigned index = 0; index < count; ++index) {
    auto gpu = read(index);
    if (!gpu) return tl::unexpected(gpu.error());
    gpus.push_back(std::move(*gpu));
  }
  return gpus;
}

Result<std::vector<act::Gpu>> Library::find() const {
  if (const int code = init_(); code != kSuccess) return failed("start", code);
  auto gpus = read_all();
  shutdown_();
  return gpus;
}

}  // namespace

Result<std::vector<act::Gpu>> find_gpus(const std::string& library) {
  const auto nvml = Library::load(library);
  if (!nvml) return tl::unexpected(nvml.error());
  return nvml->find();
}

}  // namespace gyre::nvml
