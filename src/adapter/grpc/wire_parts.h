#pragma once

#include "act/executor.h"
#include "base/result.h"

namespace gyre::v1 {
class Failure;
class TaskKey;
}  // namespace gyre::v1

namespace gyre::adapter::rpc {

/// What several messages are made of, as in wire.h.
void write_key(const act::TaskKey& key, v1::TaskKey& out);
act::TaskKey read_key(const v1::TaskKey& in);
/// A key that a task may have. Errors: Invalid.
Result<act::TaskKey> checked_key(const v1::TaskKey& in);

void write_failure(const Error& error, v1::Failure& out);
/// Of a kind that is not known here: Internal.
Error read_failure(const v1::Failure& in);

}  // namespace gyre::adapter::rpc
