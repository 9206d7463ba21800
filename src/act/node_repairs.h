#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/ids.h"
#include "base/time.h"
#include "domain/healing.h"

namespace gyre::act {

/// Repair this machine's hardware. `id` and `asked_at` together are its idempotency key.
struct RepairOrder {
  CommandId id;
  Time asked_at;  // by the server's clock
  Repair repair = Repair::None;
  std::string device;  // CUDA's name of a GPU to be reset
  Duration limit;      // it is ended then, and was not good

  bool operator==(const RepairOrder&) const = default;
};

/// What came of it. What is not known was not good.
struct RepairOver {
  CommandId id;
  bool good = false;
  std::string detail;  // one line for a person

  bool operator==(const RepairOver&) const = default;
};

/// Repairs the machine that it is on, one repair at a time. Thread-safe. First implementation:
/// adapter/process.
class NodeRepairs {
 public:
  virtual ~NodeRepairs() = default;

  /// Who is told of outcomes, on any thread. Requires: called once, before the calls below.
  virtual void listen(std::function<void(RepairOver)> listener) = 0;

  /// Begins a repair that is not known here, and returns at once; of one that is, tells what came
  /// of it, if anything has. `obstacle`: why none may begin now; empty: it may.
  virtual void carry_out(const RepairOrder& order, const std::string& obstacle) = 0;

  /// Whether one is underway.
  virtual bool busy() const = 0;
};

}  // namespace gyre::act
