#include "apps/tasks.h"

#include <utility>

#include "apps/gpus.h"
#include "apps/machine.h"

namespace gyre::apps {

Result<std::unique_ptr<Tasks>> Tasks::open(const NodeOptions& options, const act::GpuSet& gpus,
                                           const std::string& state) {
  NodeOptions node = options;
  if (gpus.sharing == Sharing::Mig) node.cdi = own_cdi_folder(state);
  auto opened = NodeExecutor::open(node);
  if (!opened) return tl::unexpected(opened.error());
  std::unique_ptr<Tasks> tasks(new Tasks(options.tasks));
  tasks->node_ = std::move(*opened);
  const process::ContainerHost& containers = tasks->node_->tasks().containers();
  tasks->images_ = std::make_unique<agent::Images>(
      tasks->node_->images(),
      agent::Images::Options{containers.why_not(), [&containers](const std::string& secret) {
                               return containers.registry_logins(secret);
                             }});
  tasks->mps_ = hold_shares(gpus, state, tasks->node_->tasks(), say);
  act::Executor& inner = tasks->executor();
  tasks->mig_ = make_instances(gpus, state, inner, say);
  return tasks;
}

Tasks::~Tasks() {
  if (mig_) mig_->close();
  if (mps_) mps_->close();
}

act::Executor& Tasks::executor() {
  if (mig_) return *mig_;
  if (mps_) return *mps_;
  return node_->tasks();
}

}  // namespace gyre::apps
