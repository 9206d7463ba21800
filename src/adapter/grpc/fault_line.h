#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "act/node_faults.h"
#include "adapter/grpc/server.h"
#include "base/result.h"

namespace gyre::adapter::rpc {

struct FaultLineOptions {
  std::vector<std::string> servers;  // at least one; by turns
  std::function<Identity()> identity;
  std::function<Result<void>(const act::FaultOrder&)> obey;  // returns at once
  std::function<void(const std::string&)> notice;            // one line for a person
  std::function<std::vector<act::FaultAbility>()> able;      // asked at each connection
};

/// An agent's end of the line on which its node takes faults: opened again whenever it breaks, for
/// the life of this. A thread of its own.
class FaultLine {
 public:
  explicit FaultLine(FaultLineOptions options);
  ~FaultLine();
  FaultLine(const FaultLine&) = delete;
  FaultLine& operator=(const FaultLine&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::adapter::rpc
