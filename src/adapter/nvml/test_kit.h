#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace gyre::nvml {

/// tests/live/nvml_stand_in.cc, built beside the test program.
inline std::string stand_in(const std::string& variant = "stand_in") {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() /
         ("libnvml_" + variant + ".so");
}

/// The machine that the stand-in makes up, as long as this lives.
class MadeUpMachine {
 public:
  explicit MadeUpMachine(const std::string& lines = "") {
    path_ = std::filesystem::temp_directory_path() / ("gyre-nvml-" + std::to_string(getpid()));
    become(lines);
    setenv("NVML_STAND_IN", path_.c_str(), 1);
  }
  ~MadeUpMachine() {
    unsetenv("NVML_STAND_IN");
    std::filesystem::remove(path_);
    std::filesystem::remove(path_.string() + ".mig");
    std::filesystem::remove(path_.string() + ".mig.lock");
  }
  MadeUpMachine(const MadeUpMachine&) = delete;
  MadeUpMachine& operator=(const MadeUpMachine&) = delete;

  /// Replaces the file in one step: the stand-in never reads half of it.
  void become(const std::string& lines) {
    const std::string fresh = path_.string() + ".new";
    std::ofstream(fresh) << kDevices << lines;
    std::filesystem::rename(fresh, path_);
  }

  /// The MIG instances that there are, a line each as in "gi 0 1 9 4" and "ci 0 1 0 1".
  std::vector<std::string> parts() const {
    std::vector<std::string> lines;
    std::ifstream file(path_.string() + ".mig");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("made ")) lines.push_back(line);
    }
    return lines;
  }
  /// Some that somebody else has made.
  void set_parts(const std::string& lines) { std::ofstream(path_.string() + ".mig") << lines; }

 private:
  static constexpr const char* kDevices =
      "device GPU-a 81920 9.0 00000000:1B:00.0 NVIDIA H100 80GB HBM3\n"
      "device GPU-b 81920 9.0 00000000:1C:00.0 NVIDIA H100 80GB HBM3\n"
      "device GPU-c 81920 9.0 00000000:1D:00.0 NVIDIA H100 80GB HBM3\n";
  std::filesystem::path path_;
};

}  // namespace gyre::nvml
