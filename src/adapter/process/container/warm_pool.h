#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "adapter/process/cgroups.h"
#include "adapter/process/container/plan.h"
#include "adapter/process/files.h"

namespace gyre::process {

/// What two tasks must share for one container to serve either: all of the plan but whose it is.
/// Empty for a plan whose container must not be made before its task is known.
std::string warm_shape(ContainerPlan plan);

/// Containers that were made before a task asked for them, each under a supervisor of its own that
/// waits for one; and one supervisor whose container, of any shape, is still to be made. They end
/// with this object. Used by one thread.
class WarmPool {
 public:
  struct Options {
    std::string folder;                   // of their own; made when it is needed
    std::vector<std::string> supervisor;  // program and arguments; its folder is appended
    std::size_t per_shape = 0;            // kept ready; 0: none
  };
  struct Warm {
    std::string name;  // of its control groups
    Fd line;           // see warm_line.h
    Fd process;        // its supervisor
  };

  WarmPool(Options options, const CgroupHost& cgroups);
  ~WarmPool();
  WarmPool(const WarmPool&) = delete;
  WarmPool& operator=(const WarmPool&) = delete;

  /// The shape of the supervisor that has no container yet.
  static constexpr const char* kUnshaped = "";

  /// One of that shape that is there. Does not wait.
  std::optional<Warm> take(const std::string& shape);

  /// Has as many of that shape made as are kept; the shape that was wanted longest ago gives way.
  void stock(const std::string& shape);

 private:
  struct Shelf {
    std::string shape;
    std::deque<Warm> warm;
  };
  std::optional<Warm> make(const std::string& shape);
  void drop(Warm& warm);
  void reap(int wait_ms);
  std::string path_of(const std::string& name) const { return options_.folder + "/" + name; }

  const Options options_;
  const CgroupHost& cgroups_;
  std::uint64_t last_ = 0;
  std::deque<Shelf> shelves_;  // the one used last in front
  std::vector<Fd> leaving_;    // supervisors that are to end
};

}  // namespace gyre::process
