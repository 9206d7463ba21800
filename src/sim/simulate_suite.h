#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "domain/policy.h"

namespace gyre::sim {

inline std::vector<PolicySpec> policies(const std::vector<std::string>& names) {
  std::vector<PolicySpec> all;
  for (const std::string& name : names) all.push_back(*policy_by_name(name));
  return all;
}

/// A trace in a file of its own, for as long as the object lives.
class TraceFile {
 public:
  explicit TraceFile(const std::string& text)
      : path_(std::filesystem::path(::testing::TempDir()) /
              ("gyre-trace-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)) + ".csv")) {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TraceFile() { std::filesystem::remove(path_); }
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace gyre::sim
