#include "adapter/grpc/wire_parts.h"

#include <gyre.pb.h>

namespace gyre::adapter::rpc {

void write_key(const act::TaskKey& key, v1::TaskKey& out) {
  out.set_job(key.job.value);
  out.set_attempt(key.attempt);
  out.set_rank(key.rank);
}

act::TaskKey read_key(const v1::TaskKey& in) { return {JobId{in.job()}, in.attempt(), in.rank()}; }

Result<act::TaskKey> checked_key(const v1::TaskKey& in) {
  if (in.job() > 0 && in.attempt() >= 0 && in.rank() >= 0) return read_key(in);
  return fail(ErrorKind::Invalid, "a task's key is not one: {}.{}.{}", in.job(), in.attempt(),
              in.rank());
}

void write_failure(const Error& error, v1::Failure& out) {
  out.set_kind(static_cast<int>(error.kind));
  out.set_message(error.message);
}

Error read_failure(const v1::Failure& in) {
  const bool known = in.kind() >= 0 && in.kind() <= static_cast<int>(ErrorKind::Internal);
  return {known ? static_cast<ErrorKind>(in.kind()) : ErrorKind::Internal, in.message()};
}

}  // namespace gyre::adapter::rpc
