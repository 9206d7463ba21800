#pragma once

#include <vector>

#include "base/result.h"
#include "codec/job_spec_text.h"
#include "codec/spec_tree.h"
#include "domain/job_spec.h"

namespace gyre::codec {

/// Fields that are each right and cannot be together, each at its place. `spec` is what could be
/// read of `root`.
std::vector<SpecProblem> conflicts_of(const SpecNode& root, const JobSpec& spec);

/// What is wrong with the whole spec, at the field that the message names first ("retry: ...").
SpecProblem placed(const SpecNode& root, const Error& error);

}  // namespace gyre::codec
