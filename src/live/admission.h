#pragma once

#include "act/agent_protocol.h"
#include "base/result.h"
#include "control/controller.h"
#include "domain/event.h"
#include "domain/job_spec.h"

namespace gyre::live {

/// Whether a machine could run it at all. Errors: Invalid (no command; a NUL byte; a variable
/// without a name).
Result<void> check_launch(const Launch& launch);

/// Whether an event asked for from outside makes sense now. Errors: NotFound and Conflict for a
/// stop, Conflict for a node that is not the next one, Invalid for a kind that only the world may
/// make.
Result<void> check_event(const Event::Body& body, const control::Controller& core);

/// Whether an agent that says this can be spoken to. Errors: Unsupported, no common version of the
/// protocol; Invalid, a node that there cannot be.
Result<void> check_hello(const act::Hello& hello);

}  // namespace gyre::live
