#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "act/local_node.h"
#include "adapter/mps/mps_executor.h"
#include "adapter/nvml/mig_executor.h"
#include "adapter/nvml/probe.h"
#include "cli/outcome.h"
#include "control/driver.h"

/// The wiring of this machine's GPUs.
namespace gyre::apps {

using Say = std::function<void(const std::string&)>;  // one line for a person

/// The GPUs that are declared, else those that are found. `state`: as of make_instances(). Errors:
/// kUsage, the declaration is wrong.
cli::Outcome<act::GpuSet> find_gpus(const std::string& virtual_gpus, const std::string& state,
                                    const Say& say);

/// What is offered of those that were found; of GPUs in MIG mode only those on which instances can
/// be made.
act::GpuSet offer_found(std::vector<act::Gpu> found, const std::string& state);

/// "fractions by mps: memory and threads are enforced"
std::string sharing_text(Sharing sharing, std::string_view gpu_model, MemoryMib gpu_memory);

/// What holds tasks to their shares; nullptr where nothing does. `inner` outlives its close().
std::unique_ptr<mps::MpsExecutor> hold_shares(const act::GpuSet& gpus, const std::string& state,
                                              act::Executor& inner, const Say& say);

/// What makes MIG instances for tasks; nullptr where GPUs are not shared so, and none is
/// left of a time when they were. `state`: the node's
/// folder, with the records of what it has made. `inner` outlives its close().
std::unique_ptr<nvml::MigExecutor> make_instances(const act::GpuSet& gpus, const std::string& state,
                                                  act::Executor& inner, const Say& say);

/// The folder of CDI files that make_instances() writes.
std::string own_cdi_folder(const std::string& state);

/// Looks at the GPUs once a second and tells `report` of all, in the order in which they are
/// offered, those that are left out behind them; nullptr where there are none, or the driver does
/// not let itself be asked, which is said.
std::unique_ptr<nvml::Probe> start_probe(const act::GpuSet& gpus, nvml::Probe::Report report,
                                         const Say& say);

/// A probe that can be paused: a GPU is not reset while anybody holds it open. Thread-safe.
class GpuWatch {
 public:
  GpuWatch(const act::GpuSet& gpus, Say say) : gpus_(gpus), say_(std::move(say)) {}

  void begin(nvml::Probe::Report report) {
    const std::lock_guard guard(mutex_);
    report_ = std::move(report);
    probe_ = start_probe(gpus_, report_, say_);
  }
  /// Nothing, before begin() and after end().
  void look(bool wanted) {
    const std::lock_guard guard(mutex_);
    probe_.reset();
    if (wanted && report_) probe_ = start_probe(gpus_, report_, say_);
  }
  /// How many real ones there were when it was made.
  std::size_t size() const { return gpus_.is_virtual ? 0 : gpus_.devices.size(); }
  void end() {
    const std::lock_guard guard(mutex_);
    report_ = nullptr;
    probe_.reset();
  }

 private:
  const act::GpuSet gpus_;
  const Say say_;
  std::mutex mutex_;
  nvml::Probe::Report report_;
  std::unique_ptr<nvml::Probe> probe_;
};

/// One observer for two.
class Both final : public control::Observer {
 public:
  Both(control::Observer& first, control::Observer& second) : first_(first), second_(second) {}
  void before(const Event& event) override {
    first_.before(event);
    second_.before(event);
  }
  void after(const Event& event, const control::Decisions& made,
             const control::Controller& core) override {
    first_.after(event, made, core);
    second_.after(event, made, core);
  }
  void committed(EventSeq seq) override {
    first_.committed(seq);
    second_.committed(seq);
  }

 private:
  control::Observer& first_;
  control::Observer& second_;
};

}  // namespace gyre::apps
