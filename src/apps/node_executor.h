#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "act/image_store.h"
#include "adapter/process/process_executor.h"
#include "base/result.h"

namespace gyre::apps {

/// Where a node keeps its tasks and images, and what its operator allows containers.
struct NodeOptions {
  std::string tasks;                 // folder
  std::string images;                // folder
  std::string secrets;               // folder
  std::string logins;                // file; see registry::find_login()
  std::vector<std::string> volumes;  // see process::ContainerOptions
  std::vector<std::string> devices;
  std::string cdi = {};  // folder of the node's own CDI files; empty: it has none
  std::size_t warm = 0;
  std::string lease = {};  // see process::ExecutorOptions
  MemoryMib image_cache{100 * 1024};
  MemoryMib log_max{64};  // see process::ExecutorOptions
  // Is told of each image that a task needed whether it came to be there; on threads of the tasks'.
  std::function<void(bool)> image_came = {};
};

/// What runs tasks on this machine, with the images that it runs them in.
class NodeExecutor {
 public:
  /// Errors: as ProcessExecutor::open().
  static Result<std::unique_ptr<NodeExecutor>> open(const NodeOptions& options);

  process::ProcessExecutor& tasks() { return *tasks_; }
  act::ImageStore& images() { return *images_; }

  /// What of limits and containers there is on this machine, one line each.
  std::vector<std::string> lines() const;

 private:
  std::unique_ptr<act::Registry> registry_;
  std::unique_ptr<act::ImageStore> images_;
  std::unique_ptr<act::ImageStore> watched_images_;
  std::unique_ptr<process::ProcessExecutor> tasks_;
};

}  // namespace gyre::apps
