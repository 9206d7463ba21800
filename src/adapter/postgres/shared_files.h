#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapter/postgres/connection.h"
#include "base/result.h"

namespace gyre::adapter::postgres {

/// Small files that all servers of a journal need to be the same one to others: the keys of the
/// fleet's authority. Thread-safe.
class SharedFiles {
 public:
  /// For the server that leads in that term.
  SharedFiles(Target target, std::int64_t term);
  ~SharedFiles();

  /// Names and contents. Errors: the connection's.
  Result<std::vector<std::pair<std::string, std::string>>> all();

  /// Durable when it returns. Errors: Conflict, another server leads; the connection's.
  Result<void> put(const std::string& name, const std::string& content);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::adapter::postgres
