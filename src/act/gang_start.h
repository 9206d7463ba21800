#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "act/executor.h"
#include "domain/command.h"
#include "domain/job.h"

namespace gyre::act {

/// What a task is told about where it runs.
struct TaskPlace {
  std::string leader_address = "127.0.0.1";  // where task 0 can be reached by the others
  std::vector<std::string> devices;          // CUDA's name of each device; empty: its index
  bool virtual_gpus = false;
  std::string gpu_model;
  MemoryMib gpu_memory{0};  // of each device; 0: unknown
};

/// The run of the job's task of that rank: the latest, if it has been started anew by itself.
TaskKey key_of(const Job& job, std::int32_t rank);

/// The start of one task of a gang: the job's own command and environment, and on top of it the
/// task's place in Gyre's names (GYRE_*), CUDA's and torchrun's. Those of one gang agree on
/// GYRE_ATTEMPT, MASTER_ADDR and MASTER_PORT, also where one of them is started anew by itself.
/// Requires: the job is placed.
TaskStart task_start(const Job& job, const TaskPlacement& task, const TaskPlace& place);

/// The port on which a job's task 0 may listen for the others (MASTER_PORT): below the ports that
/// Linux gives away by itself, and different for jobs and attempts near each other.
int leader_port(JobId job, std::int32_t attempt);

/// Set for task 0 of a replica alone: its node then gives it a free port as $PORT, from the one on
/// that is suggested there, and tells which (StartStages).
inline constexpr const char* kServiceVariable = "GYRE_SERVICE";
inline constexpr const char* kPortVariable = "PORT";

/// Where a task finds the port of that name: "my-port" is in GYRE_PORT_MY_PORT.
std::string port_variable(std::string_view name);

}  // namespace gyre::act
