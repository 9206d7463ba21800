#pragma once

#include <string>

#include "domain/job.h"

namespace gyre {

/// How a task ended, for a person: its message where it has one, else what its code says.
std::string words_of(const TaskExit& exit);

}  // namespace gyre
